package onecode.partner;

import io.grpc.ChannelCredentials;
import io.grpc.TlsChannelCredentials;
import java.io.IOException;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.cert.X509Certificate;
import java.util.List;
import javax.net.ssl.KeyManager;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.TrustManagerFactory;
import javax.net.ssl.X509ExtendedKeyManager;

/**
 * The PEM files of TLS, read when the program starts.
 *
 * @param ca the authorities that vouch for the server; empty for those of the Java installation
 * @param cert the client's certificate with its chain, or empty
 * @param key its key, or empty
 * @param serverName the name in the server's certificate, where it is not that of the address; else empty
 */
record TlsFiles(String ca, String cert, String key, String serverName) {
    /** Four times the list of all public authorities. */
    private static final int CA_BYTES_MAX = 1 << 20;

    /** A chain of ten certificates, or a key of any kind. */
    private static final int PEM_BYTES_MAX = 64 << 10;

    /** Returns the files; null where none is named, so that the channel is plaintext. Raises UsageFault. */
    static TlsFiles of(String ca, String cert, String key, String serverName) throws UsageFault {
        if (cert.isEmpty() != key.isEmpty()) {
            throw new UsageFault("--tls-cert and --tls-key go together: one of them is missing");
        }
        if (ca.isEmpty() && cert.isEmpty() && serverName.isEmpty()) {
            return null;
        }
        return new TlsFiles(ca, cert, key, serverName);
    }

    boolean hasCertificate() {
        return !cert.isEmpty();
    }

    /** Reads the files and returns what a channel needs; raises UsageFault where they cannot be used together. */
    ChannelCredentials credentials() throws UsageFault {
        var builder = TlsChannelCredentials.newBuilder();
        try {
            if (!ca.isEmpty()) {
                builder.trustManager(trust().getTrustManagers());
            }
            if (hasCertificate()) {
                builder.keyManager(identity());
            }
        } catch (GeneralSecurityException | IOException fault) {
            throw new UsageFault("the files of TLS cannot be used: " + OneLine.of(fault.getMessage()));
        }
        return builder.build();
    }

    private TrustManagerFactory trust() throws UsageFault, GeneralSecurityException, IOException {
        KeyStore store = emptyStore();
        List<X509Certificate> authorities = Pem.certificates(ca, BoundedFile.read(ca, CA_BYTES_MAX));
        for (int index = 0; index < authorities.size(); index++) {
            store.setCertificateEntry("authority-" + index, authorities.get(index));
        }
        var factory = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        factory.init(store);
        return factory;
    }

    private KeyManager identity() throws UsageFault, GeneralSecurityException, IOException {
        List<X509Certificate> chain = Pem.certificates(cert, BoundedFile.read(cert, PEM_BYTES_MAX));
        PrivateKey secret = Pem.privateKey(key, BoundedFile.read(key, PEM_BYTES_MAX));
        if (!Pem.fit(chain.get(0), secret)) {
            throw new UsageFault("the key " + key + " does not belong to the certificate " + cert);
        }
        KeyStore store = emptyStore();
        char[] noPassword = new char[0]; // the store never leaves this process
        store.setKeyEntry("client", secret, noPassword, chain.toArray(X509Certificate[]::new));
        var factory = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
        factory.init(store, noPassword);
        return new ShownCertificate((X509ExtendedKeyManager) factory.getKeyManagers()[0]);
    }

    private static KeyStore emptyStore() throws GeneralSecurityException, IOException {
        KeyStore store = KeyStore.getInstance("PKCS12");
        store.load(null, null);
        return store;
    }
}

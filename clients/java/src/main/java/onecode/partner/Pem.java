package onecode.partner;

import java.io.ByteArrayInputStream;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.PrivateKey;
import java.security.Signature;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Reads certificates and keys in PEM (RFC 7468). Faults name the file, and nothing of its content. */
final class Pem {
    private static final Pattern BLOCK =
            Pattern.compile("-----BEGIN ([A-Z0-9 ]+)-----([^-]*)-----END \\1-----", Pattern.DOTALL);
    private static final List<String> KEY_KINDS = List.of("EC", "RSA");

    private Pem() {}

    /** Returns the certificates of a file, one at least; raises UsageFault. */
    static List<X509Certificate> certificates(String name, byte[] content) throws UsageFault {
        var found = new ArrayList<X509Certificate>();
        try {
            CertificateFactory factory = CertificateFactory.getInstance("X.509");
            for (byte[] der : blocks(content, "CERTIFICATE")) {
                found.add((X509Certificate) factory.generateCertificate(new ByteArrayInputStream(der)));
            }
        } catch (GeneralSecurityException | IllegalArgumentException fault) {
            throw new UsageFault(OneLine.of(name) + " has a certificate that cannot be read");
        }
        if (found.isEmpty()) {
            throw new UsageFault(OneLine.of(name) + " has no certificates in PEM");
        }
        return found;
    }

    /** Returns the ECDSA or RSA key of a file in PKCS #8 (RFC 5208), unencrypted; raises UsageFault. */
    static PrivateKey privateKey(String name, byte[] content) throws UsageFault {
        try {
            for (byte[] der : blocks(content, "PRIVATE KEY")) {
                for (String kind : KEY_KINDS) {
                    try {
                        return KeyFactory.getInstance(kind).generatePrivate(new PKCS8EncodedKeySpec(der));
                    } catch (GeneralSecurityException anotherKind) {
                        continue;
                    }
                }
            }
        } catch (IllegalArgumentException notBase64) {
            throw new UsageFault(OneLine.of(name) + " has a key that cannot be read");
        }
        // Java reads neither the older forms of OpenSSL (RFC 5915, PKCS #1) nor encrypted keys by itself.
        throw new UsageFault(
                OneLine.of(name) + " has no ECDSA or RSA key in PKCS #8, unencrypted"
                        + " (openssl pkcs8 -topk8 -nocrypt makes one)");
    }

    /** Whether a key belongs to a certificate: what it signs, the certificate's key verifies. */
    static boolean fit(X509Certificate certificate, PrivateKey key) {
        try {
            Signature signature = Signature.getInstance("SHA256with" + (key.getAlgorithm().equals("EC") ? "ECDSA" : "RSA"));
            byte[] message = "onecode".getBytes(StandardCharsets.US_ASCII);
            signature.initSign(key);
            signature.update(message);
            byte[] signed = signature.sign();
            signature.initVerify(certificate.getPublicKey());
            signature.update(message);
            return signature.verify(signed);
        } catch (GeneralSecurityException differentKinds) {
            return false;
        }
    }

    private static List<byte[]> blocks(byte[] content, String label) {
        var found = new ArrayList<byte[]>();
        Matcher matcher = BLOCK.matcher(new String(content, StandardCharsets.ISO_8859_1));
        while (matcher.find()) {
            if (matcher.group(1).equals(label)) {
                found.add(Base64.getMimeDecoder().decode(matcher.group(2)));
            }
        }
        return found;
    }
}

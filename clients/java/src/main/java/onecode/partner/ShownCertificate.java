package onecode.partner;

import java.net.Socket;
import java.security.Principal;
import java.security.PrivateKey;
import java.security.cert.X509Certificate;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.X509ExtendedKeyManager;

/**
 * Shows a client's certificate whatever authorities the server names, which Java would else keep back: the server then
 * refuses the certificate, instead of saying that there is none.
 */
final class ShownCertificate extends X509ExtendedKeyManager {
    private static final Principal[] ANY = null;

    private final X509ExtendedKeyManager held;

    ShownCertificate(X509ExtendedKeyManager held) {
        this.held = held;
    }

    @Override
    public String[] getClientAliases(String keyType, Principal[] issuers) {
        return held.getClientAliases(keyType, ANY);
    }

    @Override
    public String chooseClientAlias(String[] keyTypes, Principal[] issuers, Socket socket) {
        return held.chooseClientAlias(keyTypes, ANY, socket);
    }

    @Override
    public String chooseEngineClientAlias(String[] keyTypes, Principal[] issuers, SSLEngine engine) {
        return held.chooseEngineClientAlias(keyTypes, ANY, engine);
    }

    @Override
    public String[] getServerAliases(String keyType, Principal[] issuers) {
        return held.getServerAliases(keyType, issuers);
    }

    @Override
    public String chooseServerAlias(String keyType, Principal[] issuers, Socket socket) {
        return held.chooseServerAlias(keyType, issuers, socket);
    }

    @Override
    public X509Certificate[] getCertificateChain(String alias) {
        return held.getCertificateChain(alias);
    }

    @Override
    public PrivateKey getPrivateKey(String alias) {
        return held.getPrivateKey(alias);
    }
}

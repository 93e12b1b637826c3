package onecode.partner;

import static onecode.partner.ScriptedServer.line;
import static onecode.partner.ScriptedServer.verdict;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.grpc.Server;
import io.grpc.TlsServerCredentials;
import io.grpc.netty.shaded.io.grpc.netty.NettyServerBuilder;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.util.Arrays;
import java.util.Base64;
import onecode.v1.RecognitionOuterClass.BatchVerifyRequest;
import onecode.v1.RecognitionOuterClass.BatchVerifyResponse;
import onecode.v1.RecognitionServiceGrpc;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Calls of a server that wants certificates. The JDK's keytool makes them. */
class TlsFilesTest {
    private static final char[] PASSWORD = "changeit".toCharArray();

    @TempDir static Path directory;

    private static Server server;

    private static final class Answering extends RecognitionServiceGrpc.RecognitionServiceImplBase {
        @Override
        public void batchVerify(BatchVerifyRequest request, StreamObserver<BatchVerifyResponse> answers) {
            var answer = BatchVerifyResponse.newBuilder();
            request.getCodesList().forEach(code -> answer.addVerdicts(verdict(code.toStringUtf8())));
            answers.onNext(answer.build());
            answers.onCompleted();
        }
    }

    @BeforeAll
    static void makeCertificatesAndServe() throws Exception {
        make("server", "EC", "secp256r1");
        make("gate", "EC", "secp256r1");
        make("gate-rsa", "RSA", "2048");
        make("foreign", "EC", "secp256r1");
        Files.writeString(
                directory.resolve("callers.crt"),
                Files.readString(directory.resolve("gate.crt")) + Files.readString(directory.resolve("gate-rsa.crt")));
        var credentials =
                TlsServerCredentials.newBuilder()
                        .keyManager(directory.resolve("server.crt").toFile(), directory.resolve("server.key").toFile())
                        .trustManager(directory.resolve("callers.crt").toFile())
                        .clientAuth(TlsServerCredentials.ClientAuth.REQUIRE)
                        .build();
        var loopback = new InetSocketAddress(InetAddress.getLoopbackAddress(), 0);
        server = NettyServerBuilder.forAddress(loopback, credentials).addService(new Answering()).build().start();
    }

    @AfterAll
    static void end() {
        server.shutdownNow();
    }

    private static void make(String name, String algorithm, String parameter) throws Exception {
        Path store = directory.resolve(name + ".p12");
        var size = algorithm.equals("EC") ? "-groupname" : "-keysize";
        var tool = Path.of(System.getProperty("java.home"), "bin", "keytool").toString();
        var made =
                new ProcessBuilder(
                                tool, "-genkeypair", "-alias", "k", "-keyalg", algorithm, size, parameter, "-dname",
                                "CN=" + name, "-ext", "san=dns:localhost", "-ext", "bc=ca:true", "-storetype", "PKCS12",
                                "-keystore", store.toString(), "-storepass", new String(PASSWORD))
                        .redirectErrorStream(true)
                        .redirectOutput(directory.resolve("keytool.log").toFile())
                        .start();
        assertEquals(0, made.waitFor(), () -> "keytool failed for " + name);
        var keys = KeyStore.getInstance(store.toFile(), PASSWORD);
        write(name + ".crt", "CERTIFICATE", keys.getCertificate("k").getEncoded());
        write(name + ".key", "PRIVATE KEY", keys.getKey("k", PASSWORD).getEncoded());
    }

    private static void write(String name, String label, byte[] der) throws IOException {
        String body = Base64.getMimeEncoder().encodeToString(der);
        Files.writeString(
                directory.resolve(name), "-----BEGIN " + label + "-----\n" + body + "\n-----END " + label + "-----\n");
    }

    private static Ended verify(String ca, String cert, String... more) {
        String[] call = {
            "verify", "--server", "localhost:" + server.getPort(), "--host", "420000", "--timeout", "20",
            "--tls-ca", directory.resolve(ca + ".crt").toString(),
            "--tls-cert", directory.resolve(cert + ".crt").toString(),
            "--tls-key", directory.resolve(cert + ".key").toString(), "-"
        };
        String[] whole = Arrays.copyOf(call, call.length + more.length);
        System.arraycopy(more, 0, whole, call.length, more.length);
        return Ended.run("a\n", whole);
    }

    @Test
    void aCallerWithACertificateIsAnswered() {
        assertEquals(new Ended(0, line(1, "a"), ""), verify("server", "gate"));
        assertEquals(new Ended(0, line(1, "a"), ""), verify("server", "gate-rsa"));
    }

    @Test
    void aServerOfAnotherAuthorityIsNotTrusted() {
        Ended ended = verify("foreign", "gate");
        assertEquals(1, ended.status());
        assertEquals(
                "onecode-partner: UNAVAILABLE: the server's certificate is not by an authority that this client believes,"
                        + " or has expired (SERVER_NOT_TRUSTED)\n",
                ended.err());
    }

    @Test
    void aServerOfAnotherNameIsNotTrusted() {
        Ended ended = verify("server", "gate", "--tls-server-name", "other.example");
        assertEquals(
                "onecode-partner: UNAVAILABLE: the server's certificate is not for the name or address by which it was"
                        + " called (SERVER_NAME_DIFFERS)\n",
                ended.err());
    }

    @Test
    void aCertificateThatTheServerRefusesIsNamed() {
        Ended ended = verify("server", "foreign");
        assertEquals(1, ended.status());
        assertEquals("", ended.out());
        assertEquals(true, ended.err().endsWith("(CERTIFICATE_REFUSED)\n"), ended.err());
    }

    @Test
    void anAlertOfTlsInAnswerToPlaintextIsNamed() throws IOException {
        byte[] alert = {0x15, 3, 3, 0, 2, 2, 0x46}; // RFC 8446, section 6: fatal, protocol_version
        try (var listener = new ServerSocket(0, 8, InetAddress.getLoopbackAddress())) {
            var answering = new Thread(() -> answerAll(listener, alert));
            answering.setDaemon(true);
            answering.start();
            String address = "127.0.0.1:" + listener.getLocalPort();
            Ended ended = Ended.run("a\n", "verify", "--server", address, "--host", "420000", "--timeout", "20", "-");
            assertEquals(
                    "onecode-partner: UNAVAILABLE: the server speaks TLS, and this client does not: set the CA"
                            + " (SERVER_SPEAKS_TLS)\n",
                    ended.err());
        }
    }

    private static void answerAll(ServerSocket listener, byte[] answer) {
        while (!listener.isClosed()) {
            try (var caller = listener.accept()) {
                caller.getOutputStream().write(answer);
                caller.shutdownOutput();
                caller.getInputStream().readAllBytes(); // a reset would take the alert away
            } catch (IOException gone) {
                // The next caller, or the end of the test.
            }
        }
    }

    @Test
    void filesThatDoNotBelongTogetherAreRefused() throws UsageFault {
        String gate = directory.resolve("gate").toString();
        String foreign = directory.resolve("foreign").toString();
        assertEquals(
                "the key " + foreign + ".key does not belong to the certificate " + gate + ".crt",
                fault(TlsFiles.of("", gate + ".crt", foreign + ".key", "")));
        assertEquals(gate + ".key has no certificates in PEM", fault(TlsFiles.of(gate + ".key", "", "", "")));
        assertEquals(
                gate + ".crt has no ECDSA or RSA key in PKCS #8, unencrypted"
                        + " (openssl pkcs8 -topk8 -nocrypt makes one)",
                fault(TlsFiles.of("", gate + ".crt", gate + ".crt", "")));
    }

    private static String fault(TlsFiles files) {
        return assertThrows(UsageFault.class, files::credentials).getMessage();
    }
}

package onecode.partner;

import static onecode.partner.ScriptedServer.line;
import static onecode.partner.ScriptedServer.refusal;
import static onecode.partner.ScriptedServer.verdict;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.protobuf.ByteString;
import io.grpc.Status;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.IntFunction;
import onecode.v1.RecognitionOuterClass.BatchVerifyRequest;
import onecode.v1.RecognitionOuterClass.BatchVerifyResponse;
import onecode.v1.RecognitionOuterClass.TranslateRequest;
import onecode.v1.RecognitionOuterClass.TranslateResponse;
import onecode.v1.RecognitionServiceGrpc;
import org.junit.jupiter.api.Test;

/** verify and translate, against a server whose failures a test writes. */
class CallsTest {
    /** Fails as the script says for the number of a call, from 1; answers where it says null. */
    private static final class Scripted extends RecognitionServiceGrpc.RecognitionServiceImplBase {
        private final AtomicInteger calls = new AtomicInteger();
        private final IntFunction<Throwable> script;
        private final int missing;

        Scripted(int missing, IntFunction<Throwable> script) {
            this.missing = missing;
            this.script = script;
        }

        @Override
        public void batchVerify(BatchVerifyRequest request, StreamObserver<BatchVerifyResponse> answers) {
            Throwable failure = script.apply(calls.incrementAndGet());
            if (failure != null) {
                answers.onError(failure);
                return;
            }
            var answer = BatchVerifyResponse.newBuilder();
            request.getCodesList().stream()
                    .skip(missing)
                    .forEach(code -> answer.addVerdicts(verdict(code.toStringUtf8())));
            answers.onNext(answer.build());
            answers.onCompleted();
        }

        @Override
        public void translate(TranslateRequest request, StreamObserver<TranslateResponse> answers) {
            var answer = TranslateResponse.newBuilder().setVerdict(verdict("310000"));
            if (request.getCode().toStringUtf8().equals("good")) {
                answer.setCode(ByteString.copyFromUtf8("<translated>"));
            }
            answers.onNext(answer.build());
            answers.onCompleted();
        }
    }

    private static Ended verify(String codes, int missing, IntFunction<Throwable> script) throws IOException {
        try (var server = new ScriptedServer(new Scripted(missing, script))) {
            return Ended.run(codes, "verify", "--server", server.address(), "--host", "420000", "--timeout", "30", "-");
        }
    }

    @Test
    void everyLineIsAnsweredInTheOrderOfTheFile() throws IOException {
        assertEquals(
                new Ended(0, line(1, "a") + line(2, "-") + line(3, "b"), ""),
                verify("a\r\n\nb", 0, call -> null));
    }

    @Test
    void aBatchIsRepeatedUntilTheServerIsBack() throws IOException {
        // Ten failures are more than the attempts of the service config.
        Ended ended = verify("a\n", 0, call -> call <= 10 ? Status.UNAVAILABLE.asException() : null);
        assertEquals(new Ended(0, line(1, "a"), ""), ended);
    }

    @Test
    void theServersWordForWhenToComeBackIsKept() throws IOException {
        Ended ended =
                verify(
                        "a\n",
                        0,
                        call -> call == 1 ? refusal(Status.Code.RESOURCE_EXHAUSTED, "full", "OVERLOADED", 1) : null);
        assertEquals(new Ended(0, line(1, "a"), ""), ended);
    }

    @Test
    void aServerThatIsToComeBackAfterTheTimeoutIsNotWaitedFor() throws IOException {
        Ended ended = verify("a\n", 0, call -> refusal(Status.Code.RESOURCE_EXHAUSTED, "full", "OVERLOADED", 90_500));
        assertEquals(
                new Ended(1, "", "onecode-partner: RESOURCE_EXHAUSTED: full (OVERLOADED), retry in 90.5 s\n"), ended);
    }

    @Test
    void answersBeforeAFailureArePrintedAndTheFailureIsOneLine() throws IOException {
        Ended ended =
                verify(
                        "a\n".repeat(4097),
                        0,
                        call -> call == 1 ? null : refusal(Status.Code.PERMISSION_DENIED, "two\nlines", "NOT_PERMITTED", -1));
        assertEquals(1, ended.status());
        assertEquals(4096, ended.out().lines().count());
        assertEquals("onecode-partner: PERMISSION_DENIED: two lines (NOT_PERMITTED)\n", ended.err());
    }

    @Test
    void aVerdictTooFewIsNoAnswer() throws IOException {
        assertEquals(
                new Ended(1, "", "onecode-partner: INTERNAL: the server answered 1 of 2 codes of a batch\n"),
                verify("a\nb\n", 1, call -> null));
    }

    @Test
    void aServerThatIsAwayIsOneLine() throws IOException {
        String address;
        try (var taken = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            address = "127.0.0.1:" + taken.getLocalPort();
        }
        Ended ended = Ended.run("a\n", "verify", "--server", address, "--host", "420000", "--timeout", "3", "-");
        assertEquals(1, ended.status());
        assertEquals("", ended.out());
        assertTrue(ended.err().startsWith("onecode-partner: UNAVAILABLE: "), ended.err());
        assertEquals(1, ended.err().lines().count());
    }

    @Test
    void aTranslationIsPrintedAloneAndAVerdictInItsPlaceIsNotTakenForOne() throws IOException {
        try (var server = new ScriptedServer(new Scripted(0, call -> null))) {
            String[] call = {"translate", "--server", server.address(), "--target", "420000", "good"};
            assertEquals(new Ended(0, "<translated>\n", ""), Ended.run("", call));
            call[5] = "-";
            assertEquals(new Ended(1, line(1, "310000"), ""), Ended.run("bad\n", call));
            assertEquals(
                    new Ended(
                            0,
                            "{\"code\":\"<translated>\",\"verdict\":{\"line\":1,\"decision\":\"DECISION_CHECK\","
                                    + "\"level\":\"LEVEL_UNSPECIFIED\",\"reason\":\"REASON_YELLOW\","
                                    + "\"home_region\":\"310000\",\"status\":\"STATUS_UNSPECIFIED\"}}\n",
                            ""),
                    Ended.run("", "translate", "--json", "--server", server.address(), "--target", "420000", "good"));
            assertEquals(2, Ended.run("one\ntwo\n", call).status());
        }
    }
}

package onecode.partner;

import static onecode.partner.ScriptedServer.line;
import static onecode.partner.ScriptedServer.refusal;
import static onecode.partner.ScriptedServer.verdict;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.grpc.Status;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.util.List;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;
import onecode.v1.RecognitionOuterClass.StreamVerifyRequest;
import onecode.v1.RecognitionOuterClass.StreamVerifyResponse;
import onecode.v1.RecognitionServiceGrpc;
import org.junit.jupiter.api.Test;

/** scan, against a server whose streams a test writes. */
class ScanTest {
    private interface Script {
        /** Answers one request, the n-th of a stream, from 1; both are counted over all. */
        void answer(int stream, int nth, StreamVerifyRequest request, StreamObserver<StreamVerifyResponse> answers);
    }

    private static final class Scripted extends RecognitionServiceGrpc.RecognitionServiceImplBase {
        private final AtomicInteger streams = new AtomicInteger();
        private final ConcurrentLinkedQueue<Long> asked = new ConcurrentLinkedQueue<>();
        private final Script script;

        Scripted(Script script) {
            this.script = script;
        }

        @Override
        public StreamObserver<StreamVerifyRequest> streamVerify(StreamObserver<StreamVerifyResponse> answers) {
            int stream = streams.incrementAndGet();
            return new StreamObserver<>() {
                private int requests;

                @Override
                public void onNext(StreamVerifyRequest request) {
                    asked.add(request.getRequestId());
                    script.answer(stream, ++requests, request, answers);
                }

                @Override
                public void onError(Throwable gone) {}

                @Override
                public void onCompleted() {
                    try {
                        answers.onCompleted();
                    } catch (IllegalStateException ended) {
                        // The script has ended the stream.
                    }
                }
            };
        }
    }

    private static StreamVerifyResponse answer(StreamVerifyRequest request) {
        return StreamVerifyResponse.newBuilder()
                .setRequestId(request.getRequestId())
                .setVerdict(verdict(request.getCode().toStringUtf8()))
                .build();
    }

    private static Ended scan(Scripted scripted, String codes, String timeout) throws IOException {
        try (var server = new ScriptedServer(scripted)) {
            return Ended.run(
                    codes, "scan", "--server", server.address(), "--host", "420000", "--timeout", timeout, "-");
        }
    }

    @Test
    void answersInAnyOrderArePrintedInTheOrderOfTheFile() throws IOException {
        var held = new ConcurrentLinkedQueue<StreamVerifyRequest>();
        var scripted =
                new Scripted(
                        (stream, nth, request, answers) -> {
                            held.add(request);
                            if (nth == 3) {
                                List.of(2, 0, 1).forEach(i -> answers.onNext(answer(List.copyOf(held).get(i))));
                            }
                        });
        assertEquals(new Ended(0, line(1, "a") + line(2, "b") + line(3, "c"), ""), scan(scripted, "a\nb\nc\n", "30"));
    }

    @Test
    void onlyWhatIsUnansweredIsSentAgainOnANewStream() throws IOException {
        var scripted =
                new Scripted(
                        (stream, nth, request, answers) -> {
                            if (stream == 1 && request.getRequestId() == 2) {
                                return; // never answered on this stream
                            }
                            answers.onNext(answer(request));
                            if (stream == 1 && nth == 3) {
                                answers.onError(Status.UNAVAILABLE.asException());
                            }
                        });
        assertEquals(new Ended(0, line(1, "a") + line(2, "b") + line(3, "c"), ""), scan(scripted, "a\nb\nc\n", "30"));
        assertEquals(List.of(1L, 2L, 3L, 2L), List.copyOf(scripted.asked));
    }

    @Test
    void aStreamThatADrainingServerEndsIsContinued() throws IOException {
        var scripted =
                new Scripted(
                        (stream, nth, request, answers) -> {
                            if (stream > 1 || nth == 1) {
                                answers.onNext(answer(request));
                            } else if (nth == 2) {
                                answers.onCompleted();
                            }
                        });
        assertEquals(new Ended(0, line(1, "a") + line(2, "b"), ""), scan(scripted, "a\nb\n", "30"));
    }

    @Test
    void answersBeforeARefusalArePrinted() throws IOException {
        var scripted =
                new Scripted(
                        (stream, nth, request, answers) -> {
                            if (nth == 1) {
                                answers.onNext(answer(request));
                            } else if (nth == 2) {
                                answers.onError(refusal(Status.Code.INVALID_ARGUMENT, "no", "HOST_REGION_INVALID", -1));
                            }
                        });
        assertEquals(
                new Ended(1, line(1, "a"), "onecode-partner: INVALID_ARGUMENT: no (HOST_REGION_INVALID)\n"),
                scan(scripted, "a\nb\n", "30"));
    }

    @Test
    void anAnswerToNothingThatWasAskedIsAFault() throws IOException {
        var twice =
                new Scripted(
                        (stream, nth, request, answers) -> {
                            if (nth == 2) {
                                answers.onNext(answer(request));
                                answers.onNext(answer(request));
                            }
                        });
        assertEquals(
                new Ended(1, "", "onecode-partner: INTERNAL: the server's answer is to no code that waits for one\n"),
                scan(twice, "a\nb\n", "30"));
    }

    @Test
    void aServerThatNeverAnswersEndsWithTheTimeout() throws IOException {
        var silent = new Scripted((stream, nth, request, answers) -> {});
        // The silent server half-closes when its caller does, which is a drain to this one: it asks until its time is over.
        Ended ended = scan(silent, "a\n", "0.3");
        assertEquals(1, ended.status());
        assertEquals("", ended.out());
        assertEquals(1, ended.err().lines().count());
    }

    @Test
    void tenThousandCodesFitTheWindow() throws IOException {
        var scripted = new Scripted((stream, nth, request, answers) -> answers.onNext(answer(request)));
        Ended ended = scan(scripted, "a\n".repeat(10_000), "30");
        assertEquals(0, ended.status());
        assertEquals(10_000, ended.out().lines().count());
    }
}

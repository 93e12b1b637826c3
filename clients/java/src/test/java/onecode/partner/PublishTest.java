package onecode.partner;

import static onecode.partner.ScriptedServer.refusal;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.grpc.Status;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;
import onecode.v1.Status.PublishStatusesRequest;
import onecode.v1.Status.PublishStatusesResponse;
import onecode.v1.Status.Rejection;
import onecode.v1.Status.RejectionReason;
import onecode.v1.StatusServiceGrpc;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** publish, against a server that takes records as a test says. */
class PublishTest {
    private static final String RECORD = "{\"publisher\": \"420000\", \"revision\": 1}\n";

    /** Rejects each record by its publisher's name where that is a reason; breaks the first stream after some. */
    private static final class Scripted extends StatusServiceGrpc.StatusServiceImplBase {
        private final ConcurrentLinkedQueue<Long> sequences = new ConcurrentLinkedQueue<>();
        private final AtomicInteger streams = new AtomicInteger();
        private final int breaksAfter;

        Scripted(int breaksAfter) {
            this.breaksAfter = breaksAfter;
        }

        @Override
        public StreamObserver<PublishStatusesRequest> publishStatuses(StreamObserver<PublishStatusesResponse> answers) {
            boolean breaks = streams.incrementAndGet() == 1 && breaksAfter > 0;
            return new StreamObserver<>() {
                private int requests;

                @Override
                public void onNext(PublishStatusesRequest request) {
                    requests++;
                    if (breaks && requests > breaksAfter) {
                        return;
                    }
                    sequences.add(request.getSequence());
                    answers.onNext(answer(request));
                    if (breaks && requests == breaksAfter) {
                        answers.onError(refusal(Status.Code.UNAVAILABLE, "ending", "DRAINING", -1));
                    }
                }

                @Override
                public void onError(Throwable gone) {}

                @Override
                public void onCompleted() {
                    if (!breaks) {
                        answers.onCompleted();
                    }
                }
            };
        }

        private static PublishStatusesResponse answer(PublishStatusesRequest request) {
            var answer = PublishStatusesResponse.newBuilder().setDurableThrough(request.getSequence());
            String publisher = request.getRecord().getPublisher();
            if (!publisher.equals("420000")) {
                answer.addRejections(
                        Rejection.newBuilder()
                                .setSequence(request.getSequence())
                                .setReason(RejectionReason.valueOf("REJECTION_REASON_" + publisher)));
            }
            return answer.build();
        }
    }

    private static Ended publish(Scripted scripted, String records, String file) throws IOException {
        try (var server = new ScriptedServer(scripted)) {
            return Ended.run(records, "publish", "--server", server.address(), "--timeout", "30", file);
        }
    }

    @Test
    void recordsAreNumberedByTheirLinesAndCountedByWhatBecameOfThem() throws IOException {
        String records =
                RECORD + "\n" + RECORD.replace("420000", "SUPERSEDED") + RECORD.replace("420000", "REVISION_CONFLICT")
                        + RECORD.replace("420000", "NOT_THE_HOME");
        assertEquals(
                new Ended(
                        0,
                        "3\tREJECTED\tSUPERSEDED\n4\tREJECTED\tREVISION_CONFLICT\n5\tREJECTED\tNOT_THE_HOME\n"
                                + "taken 1, superseded 1, conflict 1, rejected 1\n",
                        ""),
                publish(new Scripted(0), records, "-"));
    }

    @Test
    void aServerThatDrainsGetsTheUnacknowledgedRecordsAgain() throws IOException {
        var scripted = new Scripted(3);
        assertEquals(
                new Ended(0, "taken 5, superseded 0, conflict 0, rejected 0\n", ""),
                publish(scripted, RECORD.repeat(5), "-"));
        assertEquals(List.of(1L, 2L, 3L, 4L, 5L), List.copyOf(scripted.sequences));
    }

    @Test
    void aMistakeInAFilePublishesNothing(@TempDir Path directory) throws IOException {
        Path file = directory.resolve("records.ndjson");
        Files.writeString(file, RECORD + "{}x\n");
        var scripted = new Scripted(0);
        assertEquals(
                new Ended(2, "", "onecode-partner: " + file + ", line 2: not a StatusRecord (more than one JSON object)\n"),
                publish(scripted, "", file.toString()));
        assertEquals(0, scripted.streams.get());
    }

    @Test
    void aMistakeInStandardInputEndsThePublicationAfterTheRecordsBeforeIt() throws IOException {
        Ended ended = publish(new Scripted(0), RECORD + "[]\n", "-");
        assertEquals(
                new Ended(
                        2,
                        "taken 1, superseded 0, conflict 0, rejected 0\n",
                        "onecode-partner: standard input, line 2: not a StatusRecord (not a JSON object)\n"),
                ended);
    }
}

package onecode.partner;

import com.google.protobuf.UnsafeByteOperations;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import onecode.v1.RecognitionOuterClass.BatchVerifyRequest;
import onecode.v1.RecognitionOuterClass.Verdict;
import onecode.v1.RecognitionServiceGrpc;
import onecode.v1.RecognitionServiceGrpc.RecognitionServiceBlockingStub;

/** Checks a file of codes by batches. */
final class VerifyCommand {
    private final RecognitionServiceBlockingStub stub;
    private final RepeatedCall calls;
    private final VerdictLines lines;
    private final Output output;
    private final String host;

    VerifyCommand(ServerChannel channel, Options options, Output output) {
        this.stub = channel.stub(RecognitionServiceGrpc::newBlockingStub);
        this.calls = new RepeatedCall(channel, options.timeout());
        this.lines = new VerdictLines(options.json());
        this.output = output;
        this.host = options.region();
    }

    /** Prints a line for each code. Each batch is printed before the next is read: a late error takes nothing away. */
    void run(Input input) throws UsageFault, CallFault, IOException {
        var batches = new Batches(input);
        long number = 0;
        for (List<byte[]> batch = batches.next(); !batch.isEmpty(); batch = batches.next()) {
            for (Verdict verdict : verify(batch)) {
                output.line(lines.line(++number, verdict));
            }
            output.flush();
        }
    }

    private List<Verdict> verify(List<byte[]> batch) throws CallFault {
        var request = BatchVerifyRequest.newBuilder().setHostRegion(host);
        batch.forEach(code -> request.addCodes(UnsafeByteOperations.unsafeWrap(code)));
        BatchVerifyRequest built = request.build();
        var answer = calls.answer(left -> within(left).batchVerify(built));
        // One verdict too few would put every later one beside the wrong code.
        if (answer.getVerdictsCount() != batch.size()) {
            throw CallFault.contract(
                    "the server answered " + answer.getVerdictsCount() + " of " + batch.size() + " codes of a batch");
        }
        return answer.getVerdictsList();
    }

    private RecognitionServiceBlockingStub within(Duration left) {
        return stub.withDeadlineAfter(left.toNanos(), TimeUnit.NANOSECONDS);
    }
}

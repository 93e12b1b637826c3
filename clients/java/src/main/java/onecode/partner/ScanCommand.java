package onecode.partner;

import com.google.protobuf.UnsafeByteOperations;
import java.io.IOException;
import onecode.v1.RecognitionOuterClass.StreamVerifyRequest;
import onecode.v1.RecognitionOuterClass.StreamVerifyResponse;
import onecode.v1.RecognitionServiceGrpc;

/** Checks a file of codes over one stream. */
final class ScanCommand {
    private final ServerChannel channel;
    private final Options options;
    private final Output output;

    ScanCommand(ServerChannel channel, Options options, Output output) {
        this.channel = channel;
        this.options = options;
        this.output = output;
    }

    /** Prints a line for each code, as soon as those before it are printed. */
    void run(Input input) throws UsageFault, CallFault, IOException {
        var scans = new UnansweredScans(new VerdictLines(options.json()), output);
        var stub = channel.stub(RecognitionServiceGrpc::newStub);
        new ResumedStream<StreamVerifyRequest, StreamVerifyResponse>(
                        channel,
                        options.timeout(),
                        stub::streamVerify,
                        scans,
                        new Window<>(request -> request.getCode().size()),
                        output)
                .run(() -> request(input));
    }

    private StreamVerifyRequest request(Input input) throws UsageFault {
        byte[] code = input.next();
        if (code == null) {
            return null;
        }
        return StreamVerifyRequest.newBuilder()
                .setRequestId(input.number())
                .setCode(UnsafeByteOperations.unsafeWrap(code))
                .setHostRegion(options.region())
                .build();
    }
}

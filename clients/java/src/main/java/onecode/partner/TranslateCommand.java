package onecode.partner;

import com.google.gson.JsonObject;
import com.google.protobuf.ByteString;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.TimeUnit;
import onecode.v1.RecognitionOuterClass.TranslateRequest;
import onecode.v1.RecognitionOuterClass.TranslateResponse;
import onecode.v1.RecognitionServiceGrpc;
import onecode.v1.RecognitionServiceGrpc.RecognitionServiceBlockingStub;

/** Issues one code in the terms of another region. */
final class TranslateCommand {
    private final RecognitionServiceBlockingStub stub;
    private final RepeatedCall calls;
    private final Output output;
    private final String target;
    private final boolean json;

    TranslateCommand(ServerChannel channel, Options options, Output output) {
        this.stub = channel.stub(RecognitionServiceGrpc::newBlockingStub);
        this.calls = new RepeatedCall(channel, options.timeout());
        this.output = output;
        this.target = options.region();
        this.json = options.json();
    }

    /**
     * Prints the translation, or the verdict that does not allow one. Returns whether there is a translation: a script
     * that stores the output as a code must not go on with a verdict.
     */
    boolean run(byte[] code) throws CallFault, IOException {
        var request =
                TranslateRequest.newBuilder().setCode(ByteString.copyFrom(code)).setTargetRegion(target).build();
        TranslateResponse answer =
                calls.answer(
                        left -> stub.withDeadlineAfter(left.toNanos(), TimeUnit.NANOSECONDS).translate(request));
        if (!answer.hasVerdict()) {
            throw CallFault.contract("the server answered without a verdict");
        }
        boolean isTranslated = !answer.getCode().isEmpty();
        if (json) {
            var members = new JsonObject();
            members.addProperty("code", answer.getCode().toStringUtf8());
            members.add("verdict", VerdictLines.object(1, answer.getVerdict()));
            output.line(members.toString());
        } else if (isTranslated) {
            output.line(answer.getCode().toByteArray());
        } else {
            output.line(new VerdictLines(false).line(1, answer.getVerdict()));
        }
        output.flush();
        return isTranslated;
    }

    /** Returns the code of the command line, or the one line of standard input for {@code -}; raises UsageFault. */
    static byte[] code(String operand, InputStream standardInput) throws UsageFault {
        if (!operand.equals(Input.STANDARD_INPUT)) {
            if (operand.indexOf('\uFFFD') >= 0) { // what Java makes of bytes that it cannot decode
                throw new UsageFault("the code is not UTF-8: give it by standard input, with -");
            }
            return operand.getBytes(StandardCharsets.UTF_8);
        }
        Input input = Input.open(operand, standardInput, Batches.BYTES_MAX);
        byte[] code = input.next();
        if (code != null && input.next() != null) {
            throw new UsageFault("standard input has more than one line: translate takes one code");
        }
        return code == null ? new byte[0] : code;
    }
}

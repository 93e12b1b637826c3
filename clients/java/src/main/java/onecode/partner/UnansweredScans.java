package onecode.partner;

import java.io.IOException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import onecode.v1.RecognitionOuterClass.StreamVerifyRequest;
import onecode.v1.RecognitionOuterClass.StreamVerifyResponse;
import onecode.v1.RecognitionOuterClass.Verdict;

/**
 * The codes of a stream that are not printed yet. A server may answer in another order than it was asked; the answers are
 * printed in the order of the file, each once.
 */
final class UnansweredScans implements ResumedStream.Unanswered<StreamVerifyRequest, StreamVerifyResponse> {
    /** In the order of their lines, which are their ids. */
    private final ArrayDeque<StreamVerifyRequest> asked = new ArrayDeque<>();

    /** The verdicts that came before their turn, by id. Those of {@code asked} bound their number. */
    private final Map<Long, Verdict> early = new HashMap<>();

    private final VerdictLines lines;
    private final Output output;

    UnansweredScans(VerdictLines lines, Output output) {
        this.lines = lines;
        this.output = output;
    }

    @Override
    public void add(StreamVerifyRequest request) {
        asked.addLast(request);
    }

    @Override
    public Iterable<StreamVerifyRequest> take(StreamVerifyResponse answer) throws CallFault, IOException {
        long id = answer.getRequestId();
        boolean isAsked = !asked.isEmpty() && asked.peekFirst().getRequestId() <= id && id <= asked.peekLast().getRequestId();
        if (!isAsked || early.containsKey(id) || !answer.hasVerdict()) {
            throw CallFault.contract("the server's answer is to no code that waits for one");
        }
        early.put(id, answer.getVerdict());
        var printed = new ArrayList<StreamVerifyRequest>();
        while (!asked.isEmpty() && early.containsKey(asked.peekFirst().getRequestId())) {
            StreamVerifyRequest request = asked.removeFirst();
            output.line(lines.line(request.getRequestId(), early.remove(request.getRequestId())));
            printed.add(request);
        }
        return printed;
    }

    @Override
    public List<StreamVerifyRequest> pending() {
        return asked.stream().filter(request -> !early.containsKey(request.getRequestId())).toList();
    }

    @Override
    public boolean isEmpty() {
        return asked.isEmpty();
    }
}

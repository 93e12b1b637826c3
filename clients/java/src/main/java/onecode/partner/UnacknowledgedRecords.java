package onecode.partner;

import com.google.protobuf.Descriptors.EnumValueDescriptor;
import com.google.protobuf.Descriptors.FieldDescriptor;
import java.io.IOException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import onecode.v1.Status.PublishStatusesRequest;
import onecode.v1.Status.PublishStatusesResponse;
import onecode.v1.Status.Rejection;

/**
 * The records of a stream of which the server has not said that they are on disk or rejected. A record's sequence is the
 * number of its line.
 */
final class UnacknowledgedRecords implements ResumedStream.Unanswered<PublishStatusesRequest, PublishStatusesResponse> {
    private static final FieldDescriptor REASON = Rejection.getDescriptor().findFieldByName("reason");

    private final ArrayDeque<PublishStatusesRequest> sent = new ArrayDeque<>();
    private final Output output;
    private long taken;
    private long superseded;
    private long conflicting;
    private long rejected;

    UnacknowledgedRecords(Output output) {
        this.output = output;
    }

    @Override
    public void add(PublishStatusesRequest request) {
        sent.addLast(request);
    }

    @Override
    public Iterable<PublishStatusesRequest> take(PublishStatusesResponse answer) throws CallFault, IOException {
        var acknowledged = new ArrayList<PublishStatusesRequest>();
        var sequences = new HashSet<Long>();
        while (!sent.isEmpty() && sent.peekFirst().getSequence() <= answer.getDurableThrough()) {
            PublishStatusesRequest request = sent.removeFirst();
            acknowledged.add(request);
            sequences.add(request.getSequence());
        }
        taken += acknowledged.size();
        for (Rejection one : answer.getRejectionsList()) {
            if (!sequences.remove(one.getSequence())) {
                throw CallFault.contract("the server rejects a record that it was not sent, or twice");
            }
            count(one);
            var reason = (EnumValueDescriptor) one.getField(REASON);
            output.line(one.getSequence() + "\tREJECTED\t" + VerdictLines.shortName(reason));
        }
        return acknowledged;
    }

    @Override
    public List<PublishStatusesRequest> pending() {
        return List.copyOf(sent);
    }

    @Override
    public boolean isEmpty() {
        return sent.isEmpty();
    }

    /** Returns what became of the records. One that the server knew word for word counts as taken: it does not say. */
    String counts() {
        return "taken " + taken + ", superseded " + superseded + ", conflict " + conflicting + ", rejected " + rejected;
    }

    private void count(Rejection one) {
        taken--;
        switch (one.getReason()) {
            case REJECTION_REASON_SUPERSEDED -> superseded++;
            case REJECTION_REASON_REVISION_CONFLICT -> conflicting++;
            default -> rejected++;
        }
    }
}

package onecode.partner;

import java.io.IOException;
import onecode.v1.Status.PublishStatusesRequest;
import onecode.v1.Status.PublishStatusesResponse;
import onecode.v1.StatusServiceGrpc;

/** Publishes a file of status records over one stream. */
final class PublishCommand {
    private final ServerChannel channel;
    private final Options options;
    private final Output output;

    PublishCommand(ServerChannel channel, Options options, Output output) {
        this.channel = channel;
        this.options = options;
        this.output = output;
    }

    /** Prints a line for each record that was rejected, and one with the counts of those that were acknowledged. */
    void run(RecordFile records) throws UsageFault, CallFault, IOException {
        var unacknowledged = new UnacknowledgedRecords(output);
        var stub = channel.stub(StatusServiceGrpc::newStub);
        try {
            new ResumedStream<PublishStatusesRequest, PublishStatusesResponse>(
                            channel,
                            options.timeout(),
                            stub::publishStatuses,
                            unacknowledged,
                            new Window<>(PublishStatusesRequest::getSerializedSize),
                            output)
                    .run(records::next);
        } finally {
            // Also where the publication failed on the way: what was acknowledged is on disk.
            output.line(unacknowledged.counts());
            output.flush();
        }
    }
}

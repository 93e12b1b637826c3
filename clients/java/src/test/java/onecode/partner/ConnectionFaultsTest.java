package onecode.partner;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.grpc.Metadata;
import io.grpc.Status;
import java.io.IOException;
import java.nio.channels.ClosedChannelException;
import org.junit.jupiter.api.Test;

class ConnectionFaultsTest {
    private static final Status CLOSED = Status.UNKNOWN.withDescription("channel closed");

    private final ConnectionFaults faults = new ConnectionFaults(false, false);

    @Test
    void aConnectionThatWasClosedAsAMessageWasWrittenIsAskedAgain() {
        CallFault fault = faults.of(CLOSED.withCause(new ClosedChannelException()), new Metadata());
        assertEquals("UNAVAILABLE: channel closed", fault.toString());
        assertTrue(fault.isTransient());
        Status wrapped = CLOSED.withCause(new IllegalStateException(new ClosedChannelException()));
        assertTrue(faults.of(wrapped, new Metadata()).isTransient());
    }

    @Test
    void whatElseIsUnknownIsNot() {
        assertFalse(faults.of(CLOSED, new Metadata()).isTransient());
        CallFault fault = faults.of(Status.UNKNOWN.withCause(new IOException("no")), new Metadata());
        assertEquals(Status.Code.UNKNOWN, fault.code());
        assertFalse(fault.isTransient());
    }
}

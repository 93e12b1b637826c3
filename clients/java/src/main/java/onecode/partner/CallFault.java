package onecode.partner;

import io.grpc.Status;
import java.time.Duration;
import java.util.Optional;

/** A call that the server did not answer. */
final class CallFault extends Exception {
    private final Status.Code code;
    private final String reason;
    private final Duration retryAfter;
    private final boolean permanent;

    /**
     * @param code gRPC's status
     * @param message for people, on one line
     * @param reason for programs: google.rpc.ErrorInfo's, one of {@link ConnectionFaults}, or empty
     * @param retryAfter google.rpc.RetryInfo's delay; null where the server gave none
     * @param permanent whether the same call is bound to fail again
     */
    CallFault(Status.Code code, String message, String reason, Duration retryAfter, boolean permanent) {
        super(message);
        this.code = code;
        this.reason = reason;
        this.retryAfter = retryAfter;
        this.permanent = permanent;
    }

    /** A fault of the answers themselves: the server broke the contract of the call. */
    static CallFault contract(String message) {
        return new CallFault(Status.Code.INTERNAL, message, "", null, true);
    }

    Status.Code code() {
        return code;
    }

    String reason() {
        return reason;
    }

    Optional<Duration> retryAfter() {
        return Optional.ofNullable(retryAfter);
    }

    /**
     * Whether time may mend it. UNAVAILABLE passes by itself, and so does CANCELLED, which a call comes to that arrives
     * just as a server drains. RESOURCE_EXHAUSTED does where the server says when to come back; without that it may be
     * a message that is too large.
     */
    boolean isTransient() {
        if (permanent) {
            return false;
        }
        return switch (code) {
            case UNAVAILABLE, CANCELLED -> true;
            case RESOURCE_EXHAUSTED -> retryAfter != null;
            default -> false;
        };
    }

    /** {@code CODE: message (REASON), retry in N s}. */
    @Override
    public String toString() {
        var line = new StringBuilder(code.name()).append(": ").append(getMessage());
        if (!reason.isEmpty()) {
            line.append(" (").append(reason).append(')');
        }
        if (retryAfter != null) {
            line.append(", retry in ").append(OneLine.seconds(retryAfter)).append(" s");
        }
        return line.toString();
    }
}

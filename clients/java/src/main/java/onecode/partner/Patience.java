package onecode.partner;

import io.grpc.Status;
import java.time.Duration;
import java.util.concurrent.ThreadLocalRandom;

/**
 * Bounds repeated attempts: pauses that double, until the timeout has passed without an answer. The server's own word
 * for when to come back (RetryInfo) is kept, within the same bound.
 */
final class Patience {
    private static final long PAUSE_MIN_MS = 100;

    /** A server that is back is found soon. */
    private static final long PAUSE_MAX_MS = 1000;

    private final Duration timeout;
    private long sinceNs = System.nanoTime();
    private long pauseMs = PAUSE_MIN_MS;
    private CallFault last;

    Patience(Duration timeout) {
        this.timeout = timeout;
    }

    /** Begins anew: with a new call, or after an answer. */
    void renew() {
        sinceNs = System.nanoTime();
        pauseMs = PAUSE_MIN_MS;
        last = null;
    }

    /** Returns the time that is left; zero or less where there is none. */
    Duration left() {
        return timeout.minusNanos(System.nanoTime() - sinceNs);
    }

    /** Returns the fault of a timeout: the last failure, which says more, where there was one. */
    CallFault expired() {
        return last != null
                ? last
                : new CallFault(
                        Status.Code.DEADLINE_EXCEEDED,
                        "no answer came within " + OneLine.seconds(timeout) + " s",
                        "",
                        null,
                        true);
    }

    /** Sleeps before the next attempt; raises the fault where time does not mend it, or did not. */
    void spend(CallFault fault) throws CallFault {
        if (fault.code() == Status.Code.DEADLINE_EXCEEDED && fault.reason().isEmpty()) {
            throw expired();
        }
        if (!fault.isTransient()) {
            throw fault;
        }
        last = fault;
        Duration pause = fault.retryAfter().orElseGet(this::nextPause);
        if (pause.compareTo(left()) >= 0) {
            throw fault;
        }
        try {
            Thread.sleep(pause.toMillis());
        } catch (InterruptedException ended) {
            Thread.currentThread().interrupt();
            throw fault;
        }
    }

    private Duration nextPause() {
        // Jitter: the clients of a server that comes back do not all connect at the same moment.
        long pause = ThreadLocalRandom.current().nextLong(pauseMs / 2, pauseMs + 1);
        pauseMs = Math.min(2 * pauseMs, PAUSE_MAX_MS);
        return Duration.ofMillis(pause);
    }
}

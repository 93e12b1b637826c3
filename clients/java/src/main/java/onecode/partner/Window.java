package onecode.partner;

import java.util.concurrent.Semaphore;
import java.util.function.ToIntFunction;

/**
 * Bounds what is read and not done with, by number and by bytes: a file may be longer than memory. One thread enters
 * requests, another takes them out.
 */
final class Window<Q> {
    /** A server reads some hundred codes or 2,000 records ahead; the rest is on its way there and back. */
    static final int REQUESTS_MAX = 4096;

    /** As much as one batch. A longer request goes alone. */
    static final int BYTES_MAX = 4 << 20;

    private final Semaphore requests = new Semaphore(REQUESTS_MAX);
    private final Semaphore bytes = new Semaphore(BYTES_MAX);
    private final ToIntFunction<Q> size;

    /** @param size the bytes of a request */
    Window(ToIntFunction<Q> size) {
        this.size = size;
    }

    /** Waits until there is room for a request. */
    void enter(Q request) throws InterruptedException {
        requests.acquire();
        bytes.acquire(permits(request));
    }

    /** Gives the room of a request back. */
    void leave(Q request) {
        bytes.release(permits(request));
        requests.release();
    }

    private int permits(Q request) {
        return Math.min(size.applyAsInt(request), BYTES_MAX);
    }
}

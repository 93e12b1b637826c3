package onecode.partner;

import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.ClientCallStreamObserver;
import io.grpc.stub.ClientResponseObserver;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;

/**
 * One exchange over as many streams as it takes: where a stream breaks, or its server drains, the requests without an
 * answer are sent again on a new one.
 *
 * <p>The thread that calls {@link #run} does everything but reading requests and receiving messages, which reach it as
 * events; so nothing here needs a lock.
 *
 * @param <Q> a request
 * @param <A> an answer
 */
final class ResumedStream<Q, A> {
    /** Reads requests. */
    interface Source<Q> {
        /** Returns the next request, or null at the end; raises UsageFault where the input cannot be used. */
        Q next() throws UsageFault;
    }

    /** The requests that are not answered yet. One thread uses it. */
    interface Unanswered<Q, A> {
        /** Notes a request that is being sent for the first time. */
        void add(Q request);

        /**
         * Takes an answer. Returns the requests that are done with, so that others may be read; raises CallFault for an
         * answer to nothing that was asked.
         */
        Iterable<Q> take(A answer) throws CallFault, IOException;

        /** Returns the requests to be sent again, in their order. */
        Iterable<Q> pending();

        boolean isEmpty();
    }

    private record Event<Q, A>(Kind kind, Q request, A answer, Status status, Metadata trailers) {}

    private enum Kind {
        REQUEST,
        INPUT_ENDED,
        ANSWER,
        STREAM_ENDED
    }

    private final BlockingQueue<Event<Q, A>> events = new LinkedBlockingQueue<>(); // Window bounds what is in it
    private final ServerChannel channel;
    private final Function<StreamObserver<A>, StreamObserver<Q>> call;
    private final Unanswered<Q, A> unanswered;
    private final Window<Q> window;
    private final Output output;
    private final Patience patience;

    private volatile UsageFault inputFault;
    private boolean inputEnded;
    private ClientCallStreamObserver<Q> open;

    ResumedStream(
            ServerChannel channel,
            Duration timeout,
            Function<StreamObserver<A>, StreamObserver<Q>> call,
            Unanswered<Q, A> unanswered,
            Window<Q> window,
            Output output) {
        this.channel = channel;
        this.call = call;
        this.unanswered = unanswered;
        this.window = window;
        this.output = output;
        this.patience = new Patience(timeout);
    }

    /**
     * Sends all requests and takes all answers. A fault of the input is raised after the answers to the requests before
     * it; CallFault where requests have been without any answer for the timeout.
     */
    void run(Source<Q> source) throws UsageFault, CallFault, IOException {
        var reader = new Thread(() -> read(source), "requests");
        reader.setDaemon(true); // it may wait for a line that never comes
        reader.start();
        try {
            while (!inputEnded || !unanswered.isEmpty() || open != null) {
                if (open == null && !unanswered.isEmpty()) {
                    resume();
                }
                handle(nextEvent());
            }
        } catch (InterruptedException ended) {
            Thread.currentThread().interrupt();
            throw new CallFault(Status.Code.CANCELLED, "interrupted", "", null, true);
        } finally {
            if (open != null) {
                open.cancel("the exchange has ended", null);
            }
        }
        if (inputFault != null) {
            throw inputFault;
        }
    }

    private void read(Source<Q> source) {
        try {
            for (Q request = source.next(); request != null; request = source.next()) {
                window.enter(request);
                events.add(new Event<>(Kind.REQUEST, request, null, null, null));
            }
        } catch (UsageFault fault) {
            inputFault = fault;
        } catch (RuntimeException fault) {
            inputFault = new UsageFault("the input cannot be read: " + OneLine.of(fault.toString()));
        } catch (InterruptedException ended) {
            return;
        }
        events.add(new Event<>(Kind.INPUT_ENDED, null, null, null, null));
    }

    private Event<Q, A> nextEvent() throws CallFault, IOException, InterruptedException {
        Event<Q, A> event = events.poll();
        if (event != null) {
            return event;
        }
        output.flush(); // whoever reads the answers has them while this waits
        if (unanswered.isEmpty() && !(inputEnded && open != null)) {
            return events.take(); // for the next line of a slow input, as long as it takes
        }
        event = events.poll(Math.max(0, patience.left().toNanos()), TimeUnit.NANOSECONDS);
        if (event == null && unanswered.isEmpty()) { // all is answered, and the server does not end the stream
            open.cancel("all is answered", null);
            return events.take();
        }
        if (event == null) {
            throw patience.expired();
        }
        return event;
    }

    private void handle(Event<Q, A> event) throws CallFault, IOException {
        switch (event.kind) {
            case REQUEST -> {
                if (unanswered.isEmpty()) {
                    patience.renew();
                }
                unanswered.add(event.request);
                if (open == null) {
                    resume(); // sends this one, too
                } else {
                    open.onNext(event.request);
                }
            }
            case INPUT_ENDED -> {
                inputEnded = true;
                if (open != null) {
                    open.onCompleted();
                }
            }
            case ANSWER -> {
                unanswered.take(event.answer).forEach(window::leave);
                patience.renew();
            }
            case STREAM_ENDED -> ended(event);
        }
    }

    private void ended(Event<Q, A> event) throws CallFault {
        open = null;
        if (unanswered.isEmpty() && event.status.isOk()) {
            return;
        }
        CallFault fault =
                event.status.isOk()
                        ? new CallFault(
                                Status.Code.UNAVAILABLE,
                                "the server ended the stream before it had answered everything",
                                "",
                                null,
                                false)
                        : channel.faults().of(event.status, event.trailers);
        if (!unanswered.isEmpty()) {
            patience.spend(fault);
        } else if (!fault.isTransient()) {
            throw fault;
        }
        channel.reconnect();
    }

    private void resume() {
        call.apply(new Receiver());
        unanswered.pending().forEach(open::onNext);
        if (inputEnded) {
            open.onCompleted();
        }
    }

    /** Passes what gRPC's threads bring to the thread of the exchange. */
    private final class Receiver implements ClientResponseObserver<Q, A> {
        @Override
        public void beforeStart(ClientCallStreamObserver<Q> requests) {
            open = requests; // gRPC calls this on the thread that makes the call
        }

        @Override
        public void onNext(A answer) {
            events.add(new Event<>(Kind.ANSWER, null, answer, null, null));
        }

        @Override
        public void onError(Throwable failed) {
            var trailers = failed instanceof StatusRuntimeException known ? known.getTrailers() : null;
            events.add(new Event<>(Kind.STREAM_ENDED, null, null, Status.fromThrowable(failed), trailers));
        }

        @Override
        public void onCompleted() {
            events.add(new Event<>(Kind.STREAM_ENDED, null, null, Status.OK, null));
        }
    }
}

package onecode.partner;

import io.grpc.StatusRuntimeException;
import java.time.Duration;
import java.util.function.Function;

/**
 * Makes one call until it is answered: gRPC repeats it within about a second (the service config of {@link
 * ServerChannel}), and this goes on, for a restart that takes longer, until the timeout has passed.
 */
final class RepeatedCall {
    private final ServerChannel channel;
    private final Duration timeout;

    RepeatedCall(ServerChannel channel, Duration timeout) {
        this.channel = channel;
        this.timeout = timeout;
    }

    /**
     * Returns the answer; raises CallFault where there is none in time.
     *
     * @param call makes the call, within the duration that it is given
     */
    <A> A answer(Function<Duration, A> call) throws CallFault {
        var patience = new Patience(timeout);
        while (true) {
            try {
                return call.apply(patience.left());
            } catch (StatusRuntimeException failed) {
                patience.spend(channel.faults().of(failed.getStatus(), failed.getTrailers()));
                channel.reconnect();
            }
        }
    }
}

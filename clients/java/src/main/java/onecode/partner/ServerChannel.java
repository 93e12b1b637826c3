package onecode.partner;

import io.grpc.CallCredentials;
import io.grpc.Channel;
import io.grpc.ChannelCredentials;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import io.grpc.stub.AbstractStub;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;

/** A channel to one server, with its rules for repeating calls. */
final class ServerChannel implements AutoCloseable {
    /** 4,096 verdicts of some 40 bytes are far below; the server's own requests are at most this long, too. */
    static final int MESSAGE_BYTES_MAX = (4 << 20) + (64 << 10);

    /**
     * A call that is larger than what is kept of it is never repeated: by default 1 MiB, which is a batch of codes of 256
     * bytes.
     */
    private static final long REPEATED_BYTES_MAX = MESSAGE_BYTES_MAX;

    /** The server drops a channel that pings more often than every 10 s. */
    private static final long PING_S = 30;

    private static final long PING_TIMEOUT_S = 10;

    /**
     * These calls change nothing, so that asking again is safe. The streams keep what they must send again themselves
     * ({@link ResumedStream}).
     */
    private static final Map<String, ?> SERVICE_CONFIG =
            Map.of(
                    "methodConfig",
                    List.of(
                            Map.of(
                                    "name",
                                    List.of(method("BatchVerify"), method("Translate")),
                                    "retryPolicy",
                                    Map.of(
                                            "maxAttempts", 4.0,
                                            "initialBackoff", "0.1s",
                                            "maxBackoff", "1s",
                                            "backoffMultiplier", 2.0,
                                            "retryableStatusCodes", List.of("UNAVAILABLE", "CANCELLED")))));

    private final ManagedChannel channel;
    private final CallCredentials token;
    private final ConnectionFaults faults;

    /** Connects later, at the first call. Raises UsageFault for files that cannot be used. */
    ServerChannel(Options options) throws UsageFault {
        TlsFiles tls = options.tls();
        token = options.tokenFile() == null ? null : new TokenFile(options.tokenFile());
        ChannelCredentials credentials = tls == null ? InsecureChannelCredentials.create() : tls.credentials();
        var builder =
                NettyChannelBuilder.forTarget("dns:///" + options.server(), credentials)
                        .defaultServiceConfig(SERVICE_CONFIG)
                        .disableServiceConfigLookUp()
                        .enableRetry()
                        .perRpcBufferLimit(REPEATED_BYTES_MAX)
                        .maxInboundMessageSize(MESSAGE_BYTES_MAX)
                        .keepAliveTime(PING_S, TimeUnit.SECONDS)
                        .keepAliveTimeout(PING_TIMEOUT_S, TimeUnit.SECONDS)
                        // A slow standard input may leave the channel without calls for long.
                        .keepAliveWithoutCalls(true);
        if (tls != null && !tls.serverName().isEmpty()) {
            builder.overrideAuthority(tls.serverName());
        }
        if (options.server().isLoopback()) {
            builder.proxyDetector(address -> null); // a proxy would look for the server on itself
        }
        channel = builder.build();
        faults = new ConnectionFaults(tls != null, tls != null && tls.hasCertificate());
    }

    /** Returns a stub of this channel whose calls carry the token. */
    <S extends AbstractStub<S>> S stub(Function<Channel, S> make) {
        S stub = make.apply(channel);
        return token == null ? stub : stub.withCallCredentials(token);
    }

    /** Has the next call connect at once: gRPC waits for up to two minutes before it tries again by itself. */
    void reconnect() {
        channel.resetConnectBackoff();
    }

    /** What failed calls of this channel mean. */
    ConnectionFaults faults() {
        return faults;
    }

    @Override
    public void close() {
        channel.shutdownNow();
    }

    private static Map<String, String> method(String name) {
        return Map.of("service", "onecode.v1.RecognitionService", "method", name);
    }
}

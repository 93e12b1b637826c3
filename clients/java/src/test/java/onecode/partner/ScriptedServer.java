package onecode.partner;

import io.grpc.BindableService;
import io.grpc.Metadata;
import io.grpc.Server;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.netty.shaded.io.grpc.netty.NettyServerBuilder;
import io.grpc.protobuf.StatusProto;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import onecode.v1.RecognitionOuterClass.Decision;
import onecode.v1.RecognitionOuterClass.Reason;
import onecode.v1.RecognitionOuterClass.Verdict;

/** A real server on a loopback port that the system chooses, whose answers a test writes. */
final class ScriptedServer implements AutoCloseable {
    private final Server server;

    ScriptedServer(BindableService service) throws IOException {
        server =
                NettyServerBuilder.forAddress(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0))
                        .maxInboundMessageSize(ServerChannel.MESSAGE_BYTES_MAX)
                        .addService(service)
                        .build()
                        .start();
    }

    String address() {
        return "127.0.0.1:" + server.getPort();
    }

    /** A verdict that tells codes apart by their bytes: home is the code. */
    static Verdict verdict(String code) {
        return Verdict.newBuilder()
                .setDecision(Decision.DECISION_CHECK)
                .setReason(Reason.REASON_YELLOW)
                .setHomeRegion(code)
                .build();
    }

    /** The line of that verdict. */
    static String line(long number, String code) {
        return number + "\tCHECK\tUNSPECIFIED\tYELLOW\t" + code + "\tUNSPECIFIED\n";
    }

    /** An error as the real server gives it, with ErrorInfo and, from 0 on, RetryInfo. */
    static StatusRuntimeException refusal(Status.Code code, String message, String reason, int retryAfterMs) {
        var status = com.google.rpc.Status.newBuilder().setCode(code.value()).setMessage(message);
        status.addDetails(
                com.google.protobuf.Any.pack(
                        com.google.rpc.ErrorInfo.newBuilder().setReason(reason).setDomain("onecode").build()));
        if (retryAfterMs >= 0) {
            var delay = com.google.protobuf.util.Durations.fromMillis(retryAfterMs);
            status.addDetails(
                    com.google.protobuf.Any.pack(com.google.rpc.RetryInfo.newBuilder().setRetryDelay(delay).build()));
        }
        return StatusProto.toStatusRuntimeException(status.build(), new Metadata());
    }

    @Override
    public void close() {
        server.shutdownNow();
    }
}

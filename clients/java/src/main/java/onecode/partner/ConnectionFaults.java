package onecode.partner;

import com.google.protobuf.Any;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.rpc.ErrorInfo;
import com.google.rpc.RetryInfo;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.protobuf.StatusProto;
import java.net.ConnectException;
import java.net.UnknownHostException;
import java.nio.channels.ClosedChannelException;
import java.security.cert.CertPathBuilderException;
import java.security.cert.CertPathValidatorException;
import java.security.cert.CertificateException;
import java.time.Duration;
import java.util.Locale;
import javax.net.ssl.SSLException;

/**
 * Reads failed calls: the server's own reason (google.rpc.ErrorInfo, AIP-193), and what it means where no connection was
 * made. The reasons are those of the project's client in Python.
 */
final class ConnectionFaults {
    /** What gRPC says, as INTERNAL, of a server that answers the first frame with an alert of TLS (type 21: hex 15). */
    private static final String ALERT_IN_PLACE_OF_SETTINGS =
            "First received frame was not SETTINGS. Hex dump for first 5 bytes: 15";

    private final boolean speaksTls;
    private final boolean hasCertificate;

    ConnectionFaults(boolean speaksTls, boolean hasCertificate) {
        this.speaksTls = speaksTls;
        this.hasCertificate = hasCertificate;
    }

    /** Returns the fault of a call that ended with a status other than OK. */
    CallFault of(Status status, Metadata trailers) {
        String reason = "";
        Duration retryAfter = null;
        var detailed = StatusProto.fromStatusAndTrailers(status, trailers);
        try {
            for (Any detail : detailed.getDetailsList()) {
                if (detail.is(ErrorInfo.class)) {
                    reason = OneLine.of(detail.unpack(ErrorInfo.class).getReason());
                } else if (detail.is(RetryInfo.class)) {
                    var delay = detail.unpack(RetryInfo.class).getRetryDelay();
                    retryAfter = Duration.ofSeconds(delay.getSeconds(), delay.getNanos());
                }
            }
        } catch (InvalidProtocolBufferException | ArithmeticException unreadable) {
            // The status itself still says what happened.
        }
        if (!reason.isEmpty()) {
            return new CallFault(status.getCode(), OneLine.of(status.getDescription()), reason, retryAfter, false);
        }
        if (!speaksTls && message(status).contains(ALERT_IN_PLACE_OF_SETTINGS)) {
            return permanent("SERVER_SPEAKS_TLS", "the server speaks TLS, and this client does not: set the CA");
        }
        if (status.getCode() == Status.Code.UNAVAILABLE) {
            CallFault explained = explain(status);
            if (explained != null) {
                return explained;
            }
        }
        return new CallFault(codeOf(status), message(status), "", retryAfter, false);
    }

    /**
     * Returns the status's code, and UNAVAILABLE of a connection that was closed as a message was written: gRPC calls
     * that UNKNOWN where Netty has forgotten why (grpc-java issues 7376 and 10474).
     */
    private static Status.Code codeOf(Status status) {
        if (status.getCode() == Status.Code.UNKNOWN) {
            for (Throwable cause = status.getCause(); cause != null; cause = cause.getCause()) {
                if (cause instanceof ClosedChannelException) {
                    return Status.Code.UNAVAILABLE;
                }
            }
        }
        return status.getCode();
    }

    private CallFault explain(Status status) {
        for (Throwable cause = status.getCause(); cause != null; cause = cause.getCause()) {
            String text = String.valueOf(cause.getMessage()).toLowerCase(Locale.ROOT);
            if (cause instanceof CertPathBuilderException || cause instanceof CertPathValidatorException) {
                return permanent(
                        "SERVER_NOT_TRUSTED",
                        "the server's certificate is not by an authority that this client believes, or has expired");
            }
            if (cause instanceof CertificateException && (text.contains("subject alternative") || text.contains("name"))) {
                return permanent(
                        "SERVER_NAME_DIFFERS",
                        "the server's certificate is not for the name or address by which it was called");
            }
            if (speaksTls && text.contains("not an ssl/tls record")) {
                return permanent("SERVER_SPEAKS_PLAINTEXT", "the server does not speak TLS, and this client does");
            }
            if (speaksTls && cause instanceof SSLException && text.contains("alert")) {
                return hasCertificate
                        ? permanent(
                                "CERTIFICATE_REFUSED",
                                "the server refuses this client's certificate, which is by another authority, expired,"
                                        + " revoked or not for clients")
                        : permanent("CERTIFICATE_WANTED", "the server wants a client certificate: set one and its key");
            }
        }
        return null;
    }

    private static CallFault permanent(String reason, String text) {
        return new CallFault(Status.Code.UNAVAILABLE, text, reason, null, true);
    }

    /** Returns the status's own words, or those of the exception that says most where gRPC's are "io exception". */
    private static String message(Status status) {
        String said = OneLine.of(status.getDescription());
        for (Throwable cause = status.getCause(); cause != null; cause = cause.getCause()) {
            if (cause instanceof ConnectException || cause instanceof UnknownHostException || cause.getCause() == null) {
                String text = OneLine.of(cause.getMessage());
                if (!text.isEmpty()) {
                    return said.isEmpty() || said.startsWith("io exception") ? text : said + ": " + text;
                }
            }
        }
        return said.isEmpty() ? "the server gave no reason" : said;
    }
}

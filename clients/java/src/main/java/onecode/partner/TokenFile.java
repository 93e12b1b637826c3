package onecode.partner;

import io.grpc.CallCredentials;
import io.grpc.Metadata;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.Executor;
import java.util.regex.Pattern;

/**
 * Sends the token in a file with every call. The file is read each time: it is small, and a token may be replaced while a
 * long file is checked. Where it cannot be read at that moment, the last token is sent.
 */
final class TokenFile extends CallCredentials {
    /** What gRPC servers take as the metadata of a call by default. */
    private static final int BYTES_MAX = 8 << 10;

    /** RFC 6750, section 2.1: b64token. */
    private static final Pattern ONE_TOKEN = Pattern.compile("[A-Za-z0-9._~+/-]+=*");

    private static final Metadata.Key<String> AUTHORIZATION =
            Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER);

    private final String name;
    private volatile String last;

    /** Reads the file; raises UsageFault where it holds no token. */
    TokenFile(String name) throws UsageFault {
        this.name = name;
        this.last = read();
    }

    @Override
    public void applyRequestMetadata(RequestInfo call, Executor executor, MetadataApplier applier) {
        executor.execute(
                () -> {
                    try {
                        last = read();
                    } catch (UsageFault beingReplaced) {
                        // The last token is still the best that there is.
                    }
                    var metadata = new Metadata();
                    metadata.put(AUTHORIZATION, "Bearer " + last);
                    applier.apply(metadata);
                });
    }

    private String read() throws UsageFault {
        String text = new String(BoundedFile.read(name, BYTES_MAX), StandardCharsets.ISO_8859_1).strip();
        if (!ONE_TOKEN.matcher(text).matches()) {
            throw new UsageFault("the token file " + OneLine.of(name) + " does not hold one token");
        }
        return text;
    }
}

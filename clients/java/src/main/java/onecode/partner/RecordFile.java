package onecode.partner;

import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import onecode.v1.Status.PublishStatusesRequest;

/** A file of status records, one JSON object a line. Blank lines are none. */
final class RecordFile implements AutoCloseable {
    /** A record whose subject is named by the longest code, eleven times over. */
    private static final int RECORD_BYTES_MAX = 64 << 10;

    private final Input input;

    private RecordFile(Input input) {
        this.input = input;
    }

    /**
     * Opens a file. A regular one is read to its end before, so that a mistake in it publishes nothing; what can be read
     * only once is checked on the way. Raises UsageFault.
     */
    static RecordFile checked(String name, InputStream standardInput) throws UsageFault {
        if (isRegular(name)) {
            try (var first = open(name, standardInput)) {
                while (first.next() != null) {
                    // Reading is the check.
                }
            }
        }
        return open(name, standardInput);
    }

    /** Returns the next record under its line's number; null at the end. Raises UsageFault for one that is none. */
    PublishStatusesRequest next() throws UsageFault {
        for (byte[] line = input.next(); line != null; line = input.next()) {
            String text = new String(line, StandardCharsets.UTF_8);
            if (!text.isBlank()) {
                try {
                    return PublishStatusesRequest.newBuilder()
                            .setSequence(input.number())
                            .setRecord(RecordJson.read(text))
                            .build();
                } catch (RecordJson.NotARecord fault) {
                    throw new UsageFault(input.place() + ": not a StatusRecord (" + fault.getMessage() + ")");
                }
            }
        }
        return null;
    }

    @Override
    public void close() {
        input.close();
    }

    private static RecordFile open(String name, InputStream standardInput) throws UsageFault {
        return new RecordFile(Input.open(name, standardInput, RECORD_BYTES_MAX));
    }

    private static boolean isRegular(String name) {
        try {
            return !name.equals(Input.STANDARD_INPUT) && Files.isRegularFile(Path.of(name));
        } catch (InvalidPathException unreadable) { // opening it says so
            return false;
        }
    }
}

package onecode.partner;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.Arrays;

/**
 * A file, or standard input, of lines. The lines are bytes: nothing decodes them.
 *
 * <p>A line ends with a line feed, and a carriage return before it belongs to the end; the last line may have none.
 */
final class Input implements AutoCloseable {
    static final String STANDARD_INPUT = "-";
    private static final int BUFFER_BYTES = 64 << 10;

    private final String name;
    private final InputStream stream;
    private final int lineBytesMax;
    private final byte[] buffer = new byte[BUFFER_BYTES];
    private int position;
    private int filled;
    private byte[] line = new byte[256];
    private long number;

    private Input(String name, InputStream stream, int lineBytesMax) {
        this.name = name;
        this.stream = stream;
        this.lineBytesMax = lineBytesMax;
    }

    /**
     * Opens a file, or standard input for {@code -}; raises UsageFault where it cannot be opened.
     *
     * @param lineBytesMax the bound on a line, in bytes without its end
     */
    static Input open(String name, InputStream standardInput, int lineBytesMax) throws UsageFault {
        if (name.equals(STANDARD_INPUT)) {
            return new Input("standard input", standardInput, lineBytesMax);
        }
        try {
            return new Input(OneLine.of(name), Files.newInputStream(Path.of(name)), lineBytesMax);
        } catch (IOException | InvalidPathException fault) {
            throw BoundedFile.unreadable(name, fault);
        }
    }

    /** The number of the line that was read last, from 1. */
    long number() {
        return number;
    }

    /** Where that line is, for people. */
    String place() {
        return name + ", line " + number;
    }

    /** Returns the next line without its end; null where there is none. Raises UsageFault for one that is too long. */
    byte[] next() throws UsageFault {
        int length = 0;
        boolean ended = false;
        while (!ended) {
            if (position == filled && !fill()) {
                if (length == 0) {
                    return null;
                }
                break;
            }
            int end = position;
            while (end < filled && buffer[end] != '\n') {
                end++;
            }
            ended = end < filled;
            length = append(end, length);
            position = ended ? end + 1 : end;
        }
        if (ended && length > 0 && line[length - 1] == '\r') {
            length--;
        }
        number++;
        if (length > lineBytesMax) {
            throw tooLong();
        }
        return Arrays.copyOf(line, length);
    }

    private int append(int end, int length) throws UsageFault {
        int more = end - position;
        if (length + more > lineBytesMax + 1) { // one byte more, which may be the carriage return
            number++;
            throw tooLong();
        }
        if (length + more > line.length) {
            line = Arrays.copyOf(line, Math.max(2 * line.length, length + more));
        }
        System.arraycopy(buffer, position, line, length, more);
        return length + more;
    }

    private boolean fill() throws UsageFault {
        try {
            position = 0;
            filled = Math.max(0, stream.read(buffer));
            return filled > 0;
        } catch (IOException fault) {
            throw BoundedFile.unreadable(name, fault);
        }
    }

    private UsageFault tooLong() {
        return new UsageFault(place() + ": the line has more than " + lineBytesMax + " bytes");
    }

    @Override
    public void close() {
        try {
            stream.close();
        } catch (IOException alreadyRead) {
            // Nothing is lost: the file was only read.
        }
    }
}

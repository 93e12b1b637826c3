package onecode.partner;

import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;

/** Standard output, by lines. What is printed and flushed is with the reader, whatever happens next. */
final class Output {
    private final OutputStream stream;

    Output(OutputStream stream) {
        this.stream = new BufferedOutputStream(stream, 64 << 10);
    }

    void line(String text) throws IOException {
        line(text.getBytes(StandardCharsets.UTF_8));
    }

    void line(byte[] text) throws IOException {
        stream.write(text);
        stream.write('\n');
    }

    void flush() throws IOException {
        stream.flush();
    }
}

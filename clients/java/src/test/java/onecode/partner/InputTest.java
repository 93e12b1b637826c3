package onecode.partner;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayInputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class InputTest {
    private static Input of(byte[] content, int lineBytesMax) throws UsageFault {
        return Input.open("-", new ByteArrayInputStream(content), lineBytesMax);
    }

    private static List<String> lines(String content) throws UsageFault {
        Input input = of(content.getBytes(StandardCharsets.ISO_8859_1), 10);
        var found = new ArrayList<String>();
        for (byte[] line = input.next(); line != null; line = input.next()) {
            found.add(new String(line, StandardCharsets.ISO_8859_1));
        }
        return found;
    }

    @Test
    void emptyLinesCountAndTheLastNeedsNoLineFeed() throws UsageFault {
        assertEquals(List.of("a", "", "b"), lines("a\n\nb"));
        assertEquals(List.of("a", ""), lines("a\n\n"));
        assertEquals(List.of(), lines(""));
    }

    @Test
    void aCarriageReturnBelongsToTheEndOnlyBeforeALineFeed() throws UsageFault {
        assertEquals(List.of("a", "b\rc", "", "d\r"), lines("a\r\nb\rc\n\r\nd\r"));
    }

    @Test
    void bytesStayAsTheyAre() throws UsageFault {
        assertArrayEquals(new byte[] {(byte) 0xff, 0, (byte) 0xc3}, of(new byte[] {(byte) 0xff, 0, (byte) 0xc3}, 10).next());
    }

    @Test
    void aLineAboveTheBoundIsRefusedByItsNumber() throws UsageFault {
        assertEquals(List.of("0123456789"), lines("0123456789\r\n"));
        Input input = of("a\n01234567890\n".getBytes(StandardCharsets.US_ASCII), 10);
        input.next();
        UsageFault fault = assertThrows(UsageFault.class, input::next);
        assertEquals("standard input, line 2: the line has more than 10 bytes", fault.getMessage());
    }

    @Test
    void aLineMayBeLongerThanTheBuffer() throws UsageFault {
        byte[] content = new byte[200_000];
        assertEquals(200_000, of(content, Batches.BYTES_MAX).next().length);
    }

    @Test
    void aFileThatCannotBeReadIsNamed(@TempDir Path directory) {
        String missing = directory.resolve("missing").toString();
        UsageFault fault = assertThrows(UsageFault.class, () -> Input.open(missing, null, 10));
        assertEquals("cannot read " + missing + ": no such file", fault.getMessage());
    }

    @Test
    void aBatchHasAtMost4096CodesAnd4MiB() throws UsageFault {
        var batches = new Batches(of("a\n".repeat(4097).getBytes(StandardCharsets.US_ASCII), 10));
        assertEquals(4096, batches.next().size());
        assertEquals(1, batches.next().size());
        assertTrue(batches.next().isEmpty());

        String half = "b".repeat(Batches.BYTES_MAX / 2) + "\n";
        batches = new Batches(of((half + half + "c\n").getBytes(StandardCharsets.US_ASCII), Batches.BYTES_MAX));
        assertEquals(2, batches.next().size());
        assertEquals(1, batches.next().size());
    }

    @Test
    void aFaultComesAfterTheCodesBeforeIt() throws UsageFault {
        var batches = new Batches(of("a\nb\n01234567890\nc\n".getBytes(StandardCharsets.US_ASCII), 10));
        assertEquals(2, batches.next().size());
        assertThrows(UsageFault.class, batches::next);
    }

    @Test
    void aTokenIsReadAsItIsAndNothingElseIsOne(@TempDir Path directory) throws Exception {
        Path file = directory.resolve("token");
        Files.writeString(file, "abc.def-_~+/==\n");
        assertNull(failure(file));
        Files.writeString(file, "two tokens");
        assertEquals("the token file " + file + " does not hold one token", failure(file));
        Files.writeString(file, "a".repeat(8193));
        assertEquals(file + " is larger than 8192 bytes", failure(file));
    }

    private static String failure(Path file) {
        try {
            new TokenFile(file.toString());
            return null;
        } catch (UsageFault fault) {
            return fault.getMessage();
        }
    }
}

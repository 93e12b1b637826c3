package onecode.partner;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Map;

/** How a run of the program ended, and what it said. */
record Ended(int status, String out, String err) {
    static Ended run(String standardInput, String... arguments) {
        return run(Map.of(), standardInput, arguments);
    }

    static Ended run(Map<String, String> environment, String standardInput, String... arguments) {
        var out = new ByteArrayOutputStream();
        var err = new ByteArrayOutputStream();
        var in = new ByteArrayInputStream(standardInput.getBytes(StandardCharsets.UTF_8));
        var program = new Program(environment, in, out, new PrintStream(err, true, StandardCharsets.UTF_8));
        int status = program.run(arguments);
        return new Ended(status, out.toString(StandardCharsets.UTF_8), err.toString(StandardCharsets.UTF_8));
    }
}

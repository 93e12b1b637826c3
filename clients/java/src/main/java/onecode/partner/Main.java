package onecode.partner;

import java.io.FileDescriptor;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.logging.LogManager;

/** The program: runs one command and ends with its status. */
public final class Main {
    private Main() {}

    /** Runs the command that {@code arguments} name. */
    public static void main(String[] arguments) {
        // gRPC logs to standard error, which is for the one line of an error.
        LogManager.getLogManager().reset();
        var program =
                new Program(
                        System.getenv(),
                        new FileInputStream(FileDescriptor.in),
                        new FileOutputStream(FileDescriptor.out),
                        new PrintStream(new FileOutputStream(FileDescriptor.err), true, StandardCharsets.UTF_8));
        // Not a plain return: a thread may still wait for a line of standard input.
        System.exit(program.run(arguments));
    }
}

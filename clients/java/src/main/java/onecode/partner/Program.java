package onecode.partner;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.PrintStream;
import java.util.Map;

/** Runs one command: answers on standard output, one line on standard error where it fails. */
final class Program {
    /** Answered, whatever the verdicts: a refusal is an answer, and must not look like a server that is down. */
    static final int ANSWERED = 0;

    /** The server failed or was not reached, or a part of the answers is missing. */
    static final int FAILED = 1;

    /** Options, a file or credentials cannot be used. */
    static final int UNUSABLE = 2;

    private final Map<String, String> environment;
    private final InputStream in;
    private final Output out;
    private final PrintStream err;

    Program(Map<String, String> environment, InputStream in, OutputStream out, PrintStream err) {
        this.environment = environment;
        this.in = in;
        this.out = new Output(out);
        this.err = err;
    }

    /** Runs the command and returns the status with which the process ends. */
    int run(String[] arguments) {
        try {
            if (CommandLine.asksForHelp(arguments)) {
                out.line(CommandLine.USAGE.stripTrailing());
                out.flush();
                return ANSWERED;
            }
            int status = call(CommandLine.parse(arguments, environment));
            out.flush();
            return status;
        } catch (UsageFault fault) {
            return fail(fault.getMessage(), UNUSABLE);
        } catch (CallFault fault) {
            return fail(fault.toString(), FAILED);
        } catch (IOException fault) {
            return fail("standard output cannot be written: " + OneLine.of(fault.getMessage()), FAILED);
        } catch (RuntimeException | OutOfMemoryError fault) { // a mistake of this program: its name is all that helps
            return fail("INTERNAL: " + OneLine.of(fault.toString()), FAILED);
        }
    }

    private int call(Options options) throws UsageFault, CallFault, IOException {
        if (options.command() == Command.TRANSLATE) {
            byte[] code = TranslateCommand.code(options.operand(), in);
            try (var channel = new ServerChannel(options)) {
                return new TranslateCommand(channel, options, out).run(code) ? ANSWERED : FAILED;
            }
        }
        // The file first: where it cannot be read, no server is asked.
        if (options.command() == Command.PUBLISH) {
            try (var records = RecordFile.checked(options.operand(), in);
                    var channel = new ServerChannel(options)) {
                new PublishCommand(channel, options, out).run(records);
            }
            return ANSWERED;
        }
        try (var input = Input.open(options.operand(), in, Batches.BYTES_MAX);
                var channel = new ServerChannel(options)) {
            if (options.command() == Command.VERIFY) {
                new VerifyCommand(channel, options, out).run(input);
            } else {
                new ScanCommand(channel, options, out).run(input);
            }
        }
        return ANSWERED;
    }

    private int fail(String line, int status) {
        try {
            out.flush();
        } catch (IOException fault) {
            // The line below says that the program failed.
        }
        err.println("onecode-partner: " + line);
        return status;
    }
}

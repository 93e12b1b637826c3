package onecode.partner;

import java.math.BigDecimal;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Reads the arguments and the variables that stand in for options. */
final class CommandLine {
    static final String USAGE =
            """
            usage: onecode-partner verify    --server HOST:PORT --host REGION   [options] FILE
                   onecode-partner scan      --server HOST:PORT --host REGION   [options] FILE
                   onecode-partner translate --server HOST:PORT --target REGION [options] CODE
                   onecode-partner publish   --server HOST:PORT                 [options] FILE

            verify and scan check a file of codes, one a line; verify by batches, scan over one stream.
            translate issues one code in the terms of another region. publish sends status records, one
            JSON object a line. A FILE or CODE of - is read from standard input.

              --server           where the server listens; without TLS, on loopback only
              --host             where the codes were scanned: six digits of GB/T 2260
              --target           the region in whose terms to issue the code; 000000 for the national code
              --tls-ca           authorities that vouch for the server, in PEM
              --tls-cert         the certificate to show to the server, with its chain, in PEM
              --tls-key          its key, in PEM (PKCS #8, unencrypted)
              --tls-server-name  the name in the server's certificate, where it is not that of the address
              --token-file       a token to send with each call
              --timeout          seconds for one call with its repetitions, 10 by default
              --json             one JSON object a line; not for publish

            Variables stand in for options: ONECODE_SERVER, ONECODE_TLS_CA, ONECODE_TLS_CLIENT_CERT,
            ONECODE_TLS_CLIENT_KEY, ONECODE_TLS_SERVER_NAME and ONECODE_TOKEN_FILE.
            """;

    private static final Map<String, String> VARIABLES =
            Map.of(
                    "--server", "ONECODE_SERVER",
                    "--tls-ca", "ONECODE_TLS_CA",
                    "--tls-cert", "ONECODE_TLS_CLIENT_CERT",
                    "--tls-key", "ONECODE_TLS_CLIENT_KEY",
                    "--tls-server-name", "ONECODE_TLS_SERVER_NAME",
                    "--token-file", "ONECODE_TOKEN_FILE");
    private static final String JSON = "--json";
    private static final String TIMEOUT = "--timeout";
    private static final Duration TIMEOUT_MAX = Duration.ofDays(1);
    private static final Pattern SECONDS = Pattern.compile("([0-9]{1,6}(?:\\.[0-9]{1,3})?)s?");

    private final Map<String, String> given = new HashMap<>();
    private final List<String> operands = new ArrayList<>();
    private final Map<String, String> environment;

    private CommandLine(Map<String, String> environment) {
        this.environment = environment;
    }

    /** Returns the options of a command line; raises UsageFault, with one line that says what is wrong. */
    static Options parse(String[] arguments, Map<String, String> environment) throws UsageFault {
        if (arguments.length == 0) {
            throw new UsageFault("a command is missing: verify, scan, translate or publish (--help shows how)");
        }
        Command command = Command.of(arguments[0]);
        var line = new CommandLine(environment);
        line.read(command, List.of(arguments).subList(1, arguments.length));
        return line.options(command).checked();
    }

    /** Whether the arguments ask for the usage. */
    static boolean asksForHelp(String[] arguments) {
        for (String argument : arguments) {
            if (argument.equals("--")) {
                return false;
            }
            if (argument.equals("--help") || argument.equals("-h")) {
                return true;
            }
        }
        return false;
    }

    private void read(Command command, List<String> arguments) throws UsageFault {
        var rest = arguments.iterator();
        while (rest.hasNext()) {
            String argument = rest.next();
            if (argument.equals("--")) {
                rest.forEachRemaining(operands::add);
            } else if (!argument.startsWith("-") || argument.equals("-")) {
                operands.add(argument);
            } else {
                int equals = argument.indexOf('=');
                String option = equals < 0 ? argument : argument.substring(0, equals);
                String value = equals < 0 ? null : argument.substring(equals + 1);
                expectKnown(command, option);
                if (option.equals(JSON)) {
                    if (value != null) {
                        throw new UsageFault("--json takes no value");
                    }
                    value = "";
                } else if (value == null) {
                    value = rest.hasNext() ? rest.next() : "";
                }
                put(option, value);
            }
        }
    }

    private static void expectKnown(Command command, String option) throws UsageFault {
        boolean known =
                VARIABLES.containsKey(option)
                        || option.equals(TIMEOUT)
                        || (option.equals(JSON) && command != Command.PUBLISH)
                        || option.equals(command.regionOption());
        if (!known) {
            throw new UsageFault(command.word() + " has no option " + OneLine.of(option));
        }
    }

    private void put(String option, String value) throws UsageFault {
        if (value.isEmpty() && !option.equals(JSON)) {
            throw new UsageFault(option + " has no value");
        }
        if (given.put(option, value) != null) {
            throw new UsageFault(option + " is given twice");
        }
    }

    private Options options(Command command) throws UsageFault {
        if (operands.isEmpty()) {
            throw new UsageFault(command.operand() + " is missing; - is standard input");
        }
        if (operands.size() > 1) {
            throw new UsageFault(
                    command.word() + " takes one " + command.operand() + ", and " + operands.size() + " are given");
        }
        String server = value("--server");
        if (server.isEmpty()) {
            throw new UsageFault("--server is missing: where does the server listen, as in 127.0.0.1:50051?");
        }
        String tokenFile = value("--token-file");
        return new Options(
                command,
                ServerAddress.parse(server),
                given.getOrDefault(command.regionOption(), ""),
                TlsFiles.of(value("--tls-ca"), value("--tls-cert"), value("--tls-key"), value("--tls-server-name")),
                tokenFile.isEmpty() ? null : tokenFile,
                timeout(given.getOrDefault(TIMEOUT, "10")),
                given.containsKey(JSON),
                operands.get(0));
    }

    private String value(String option) {
        String value = given.get(option);
        return value != null ? value : environment.getOrDefault(VARIABLES.get(option), "");
    }

    private static Duration timeout(String text) throws UsageFault {
        Matcher matcher = SECONDS.matcher(text);
        Duration timeout = Duration.ZERO;
        if (matcher.matches()) {
            timeout = Duration.ofMillis(new BigDecimal(matcher.group(1)).movePointRight(3).longValueExact());
        }
        if (timeout.isZero() || timeout.compareTo(TIMEOUT_MAX) > 0) {
            throw new UsageFault(
                    "--timeout " + OneLine.of(text) + " is not a number of seconds above 0 and at most a day, as in 10");
        }
        return timeout;
    }
}

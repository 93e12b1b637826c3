package onecode.partner;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class CommandLineTest {
    private static Options parse(String line) throws UsageFault {
        return CommandLine.parse(line.split(" "), Map.of());
    }

    @Test
    void anOptionCountsBeforeItsVariable() throws UsageFault {
        var environment = Map.of("ONECODE_SERVER", "127.0.0.1:1", "ONECODE_TOKEN_FILE", "t");
        var arguments = new String[] {"verify", "--server=127.0.0.1:2", "--host", "420000", "f"};
        Options options = CommandLine.parse(arguments, environment);
        assertEquals("127.0.0.1:2", options.server().toString());
        assertEquals("t", options.tokenFile());
        assertNull(options.tls());
    }

    @Test
    void optionsMayFollowTheFileAndADashEndsThem() throws UsageFault {
        assertTrue(parse("scan f --json --host 420000 --server 127.0.0.1:1").json());
        assertEquals("-x", parse("scan --host 420000 --server 127.0.0.1:1 -- -x").operand());
    }

    @ParameterizedTest
    @CsvSource({"10,10000", "5s,5000", "0.25,250"})
    void aTimeoutIsANumberOfSeconds(String text, long milliseconds) throws UsageFault {
        Options options = parse("publish --server 127.0.0.1:1 --timeout " + text + " f");
        assertEquals(Duration.ofMillis(milliseconds), options.timeout());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "nope f",
                "verify --server 127.0.0.1:1 f", // no region
                "verify --server 127.0.0.1:1 --host 420000", // no file
                "verify --server 127.0.0.1:1 --host 420000 f g",
                "verify --server 127.0.0.1:1 --server 127.0.0.1:1 --host 420000 f",
                "verify --host 420000 f",
                "verify --server 127.0.0.1:1 --target 420000 f",
                "verify --server 127.0.0.1 --host 420000 f",
                "verify --server 127.0.0.1:65536 --host 420000 f",
                "verify --server 127.0.0.1:1 --host 420000 --tls-cert c f",
                "verify --server 127.0.0.1:1 --host 420000 --timeout 0 f",
                "verify --server 127.0.0.1:1 --host 420000 --timeout 86401 f",
                "verify --server 127.0.0.1:1 --host 420000 --json --json f",
                "publish --server 127.0.0.1:1 --json f",
                "publish --server gate.example:1 --token-file t f" // a token in plaintext
            })
    void aWrongCommandLineIsRefused(String line) {
        assertThrows(UsageFault.class, () -> parse(line));
    }

    @ParameterizedTest
    @ValueSource(strings = {"127.0.0.1:1", "127.9.9.9:1", "localhost:1", "[::1]:1"})
    void loopbackIsThisMachineOnly(String server) throws UsageFault {
        assertTrue(ServerAddress.parse(server).isLoopback());
    }

    @ParameterizedTest
    @ValueSource(strings = {"10.0.0.1:1", "127.0.0.1.example:1", "[2001:db8::1]:1", "localhost.example:1", "127.1:1"})
    void whatMayBeAnotherMachineIsNotLoopback(String server) throws UsageFault {
        assertEquals(false, ServerAddress.parse(server).isLoopback());
    }
}

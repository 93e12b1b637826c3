package onecode.partner;

import java.time.Duration;

/**
 * What a command was asked to do.
 *
 * @param region as given: whether it is six digits of GB/T 2260 is the server's to say; empty for a command without one
 * @param tls null for plaintext
 * @param tokenFile null for calls without a token
 * @param timeout the time for one call with its repetitions, and for a stream without an answer
 * @param operand the file or the code; {@code -} is standard input
 */
record Options(
        Command command,
        ServerAddress server,
        String region,
        TlsFiles tls,
        String tokenFile,
        Duration timeout,
        boolean json,
        String operand) {
    /** Checks the options against each other; raises UsageFault. */
    Options checked() throws UsageFault {
        String regionOption = command.regionOption();
        if (!regionOption.isEmpty() && region.isEmpty()) {
            throw new UsageFault(regionOption + " is missing: six digits of GB/T 2260, as in 420000");
        }
        if (tls == null && !server.isLoopback()) {
            // Codes, verdicts and tokens would cross the network in clear, and anyone on it could answer ADMIT.
            throw new UsageFault(
                    "--server " + server + " is not on loopback, and the channel has no TLS: use --tls-ca, or"
                            + " 127.0.0.1, [::1] or localhost");
        }
        return this;
    }
}

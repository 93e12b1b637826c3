package onecode.partner;

/** The caller's mistake: a wrong option, or a file that cannot be used. Asking the server again would not mend it. */
final class UsageFault extends Exception {
    UsageFault(String message) {
        super(message);
    }
}

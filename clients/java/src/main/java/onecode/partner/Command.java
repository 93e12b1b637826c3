package onecode.partner;

/** The four commands, and what each is given. */
enum Command {
    VERIFY("verify", "--host", "FILE"),
    SCAN("scan", "--host", "FILE"),
    TRANSLATE("translate", "--target", "CODE"),
    PUBLISH("publish", "", "FILE");

    private final String word;
    private final String regionOption;
    private final String operand;

    Command(String word, String regionOption, String operand) {
        this.word = word;
        this.regionOption = regionOption;
        this.operand = operand;
    }

    /** The word on the command line. */
    String word() {
        return word;
    }

    /** The option that names a region; empty where the command has none. */
    String regionOption() {
        return regionOption;
    }

    /** What follows the options. */
    String operand() {
        return operand;
    }

    /** Returns the command of a word; raises UsageFault for another word. */
    static Command of(String word) throws UsageFault {
        for (Command command : values()) {
            if (command.word.equals(word)) {
                return command;
            }
        }
        throw new UsageFault("there is no command " + OneLine.of(word) + ": it is verify, scan, translate or publish");
    }
}

package onecode.partner;

import java.math.BigDecimal;
import java.time.Duration;
import java.util.regex.Pattern;

/** Texts that stay on the line on which they are printed. */
final class OneLine {
    private static final Pattern BREAKS = Pattern.compile("[\\p{Cntrl}\\u0085\\u2028\\u2029]+");

    private OneLine() {}

    /** Returns a text of another party with control characters and line breaks replaced by spaces. */
    static String of(String text) {
        return text == null ? "" : BREAKS.matcher(text).replaceAll(" ").strip();
    }

    /** Returns a duration in seconds, to the millisecond, without zeros at its end: 2, 0.25. */
    static String seconds(Duration duration) {
        return BigDecimal.valueOf(duration.toMillis(), 3).stripTrailingZeros().toPlainString();
    }
}

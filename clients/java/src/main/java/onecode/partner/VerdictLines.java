package onecode.partner;

import com.google.gson.JsonObject;
import com.google.protobuf.Descriptors.EnumValueDescriptor;
import com.google.protobuf.Descriptors.FieldDescriptor;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import onecode.v1.RecognitionOuterClass.Verdict;

/**
 * Writes a verdict as a line: fields with a TAB between them, or JSON. Codes are left out: they speak of people, and a
 * terminal or a log is no place for them.
 */
final class VerdictLines {
    private static final String HOME = "home_region";
    private static final List<FieldDescriptor> FIELDS =
            Stream.of("decision", "level", "reason", HOME, "status")
                    .map(Verdict.getDescriptor()::findFieldByName)
                    .collect(Collectors.toUnmodifiableList());

    private final boolean json;

    VerdictLines(boolean json) {
        this.json = json;
    }

    /** Returns the line of a verdict; {@code number} is that of the code's line, from 1. */
    String line(long number, Verdict verdict) {
        if (json) {
            return object(number, verdict).toString();
        }
        return number
                + "\t"
                + FIELDS.stream().map(field -> word(verdict, field)).collect(Collectors.joining("\t"));
    }

    /** Returns the line as a JSON object, with the names of the proto. */
    static JsonObject object(long number, Verdict verdict) {
        var members = new JsonObject();
        members.addProperty("line", number);
        for (FieldDescriptor field : FIELDS) {
            Object value = verdict.getField(field);
            if (!(value instanceof EnumValueDescriptor named)) {
                members.addProperty(field.getName(), (String) value);
            } else if (isKnown(named)) {
                members.addProperty(field.getName(), named.getName());
            } else {
                members.addProperty(field.getName(), Integer.toString(named.getNumber()));
            }
        }
        return members;
    }

    private static String word(Verdict verdict, FieldDescriptor field) {
        Object value = verdict.getField(field);
        if (value instanceof EnumValueDescriptor named) {
            return shortName(named);
        }
        // A dash for no region, so that a line has six fields whatever the verdict.
        String region = OneLine.of((String) value);
        return region.isEmpty() ? "-" : region;
    }

    /** Returns the name of a value without the prefix of its enum. A value newer than these stubs is its number. */
    static String shortName(EnumValueDescriptor value) {
        if (!isKnown(value)) {
            return Integer.toString(value.getNumber());
        }
        String zero = value.getType().findValueByNumber(0).getName();
        String prefix = zero.substring(0, zero.length() - "UNSPECIFIED".length());
        return value.getName().startsWith(prefix) ? value.getName().substring(prefix.length()) : value.getName();
    }

    private static boolean isKnown(EnumValueDescriptor value) {
        return value.getType().findValueByNumber(value.getNumber()) != null;
    }
}

package onecode.partner;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import com.google.gson.JsonPrimitive;
import com.google.gson.Strictness;
import com.google.gson.stream.JsonReader;
import com.google.gson.stream.JsonToken;
import com.google.gson.stream.MalformedJsonException;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.util.JsonFormat;
import java.io.IOException;
import java.io.StringReader;
import java.util.Map;
import onecode.v1.Status.StatusRecord;

/**
 * Reads protobuf's JSON form of a status record, by the proto's names. The values of level and scope may leave out the
 * prefix of their enum. Faults quote nothing of a record: parts of it are about a person.
 */
final class RecordJson {
    private static final Map<String, String> PREFIXES = Map.of("level", "LEVEL_", "scope", "SCOPE_");
    private static final int NAME_SHOWN_MAX = 40;

    private RecordJson() {}

    /** A line that is no record; the message says why. */
    static final class NotARecord extends Exception {
        NotARecord(String message) {
            super(message);
        }
    }

    /** Returns the record of one line; raises NotARecord. */
    static StatusRecord read(String line) throws NotARecord {
        JsonObject members = members(line);
        PREFIXES.forEach(
                (name, prefix) -> {
                    JsonElement value = members.get(name);
                    if (value instanceof JsonPrimitive word && word.isString() && !word.getAsString().startsWith(prefix)) {
                        members.addProperty(name, prefix + word.getAsString());
                    }
                });
        var record = StatusRecord.newBuilder();
        try {
            JsonFormat.parser().merge(members.toString(), record);
        } catch (InvalidProtocolBufferException fault) {
            throw new NotARecord("a member is not of its type");
        }
        return record.build();
    }

    /**
     * Reads one JSON object. A member that is there twice, or that a record does not have, is a mistake: to leave one out
     * could make a record another one.
     */
    private static JsonObject members(String line) throws NotARecord {
        var reader = new JsonReader(new StringReader(line));
        reader.setStrictness(Strictness.STRICT);
        try {
            if (reader.peek() != JsonToken.BEGIN_OBJECT) {
                throw new NotARecord("not a JSON object");
            }
            var members = new JsonObject();
            reader.beginObject();
            while (reader.hasNext()) {
                String name = reader.nextName();
                if (StatusRecord.getDescriptor().findFieldByName(name) == null) {
                    String shown = name.length() > NAME_SHOWN_MAX ? name.substring(0, NAME_SHOWN_MAX) : name;
                    throw new NotARecord("unknown member \"" + OneLine.of(shown) + "\"");
                }
                if (members.has(name)) {
                    throw new NotARecord(name + " is there twice");
                }
                members.add(name, JsonParser.parseReader(reader));
            }
            reader.endObject();
            if (!isAtEnd(reader)) {
                throw new NotARecord("more than one JSON object");
            }
            return members;
        } catch (IOException | JsonParseException | IllegalStateException | StackOverflowError fault) {
            throw new NotARecord("not JSON");
        }
    }

    private static boolean isAtEnd(JsonReader reader) throws IOException {
        try {
            return reader.peek() == JsonToken.END_DOCUMENT;
        } catch (MalformedJsonException anotherValue) {
            return false;
        }
    }
}

package onecode.partner;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import onecode.v1.Status.Level;
import onecode.v1.Status.Scope;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class RecordJsonTest {
    @Test
    void levelAndScopeMayLeaveOutTheirPrefix() throws RecordJson.NotARecord {
        var record =
                RecordJson.read(
                        """
                        {"publisher": "420000", "subject": {"local": {"region": "420000", "id": "wang"}}, "level": "RED",
                         "scope": "SCOPE_NATIONAL", "effective_at": "2025-01-01T08:00:00+08:00", "revision": "7"}""");
        assertEquals(Level.LEVEL_RED, record.getLevel());
        assertEquals(Scope.SCOPE_NATIONAL, record.getScope());
        assertEquals(1735689600, record.getEffectiveAt().getSeconds());
        assertEquals(7, record.getRevision());
        assertEquals("wang", record.getSubject().getLocal().getId());
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "[]|not a JSON object",
                "{\"publisher\": \"1\"|not JSON",
                "{publisher: \"1\"}|not JSON",
                "{\"publisher\": \"1\"} {}|more than one JSON object",
                "{\"level\": \"RED\", \"level\": \"GREEN\"}|level is there twice",
                "{\"name\": \"wang\"}|unknown member \"name\"",
                "{\"level\": \"PURPLE\"}|a member is not of its type",
                "{\"subject\": {\"local\": {}, \"code\": \"YQ==\"}}|a member is not of its type",
                "{\"revision\": -1}|a member is not of its type"
            })
    void aLineThatIsNoRecordIsRefusedWithoutQuotingIt(String line, String why) {
        var fault = assertThrows(RecordJson.NotARecord.class, () -> RecordJson.read(line));
        assertEquals(why, fault.getMessage());
    }
}

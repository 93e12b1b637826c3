package main

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// record is a line of a file; the canned service answers it by its revision.
func record(revision int) string {
	return fmt.Sprintf(`{"publisher":"420000","subject":{"local":{"region":"420000","id":"wang"}},"level":"RED",`+
		`"scope":"SCOPE_NATIONAL","effective_at":"2025-01-01T08:00:00+08:00","revision":%d}`+"\n", revision)
}

func TestPublishCountsWhatBecameOfRecords(t *testing.T) {
	// 11: SUPERSEDED, 10: REVISION_CONFLICT, 7: NOT_THE_HOME
	file := filepath.Join(t.TempDir(), "records")
	text := record(0) + "\n" + record(11) + record(10) + record(7) + record(0)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{file}, {"-"}} {
		code, stdout, stderr := ask(t, &canned{}, text, append([]string{"publish"}, args...)...)
		want := "3\tREJECTED\tSUPERSEDED\n4\tREJECTED\tREVISION_CONFLICT\n5\tREJECTED\tNOT_THE_HOME\n" +
			"taken 2, superseded 1, conflict 1, rejected 1\n"
		if code != exitAnswered || stdout != want || stderr != "" {
			t.Errorf("got exit %d, %q, %q; want %q", code, stdout, stderr, want)
		}
	}
}

func TestPublishResumesAfterWhatIsDurable(t *testing.T) {
	service := &canned{fails: []error{closing, closing}, breakAfter: 500}
	code, stdout, stderr := ask(t, service, strings.Repeat(record(0), 9000), "publish", "-")
	if code != exitAnswered || stdout != "taken 9000, superseded 0, conflict 0, rejected 0\n" {
		t.Errorf("got exit %d, %q, %q", code, stdout, stderr)
	}
	// An answer may be lost with its stream, and its record is then sent again; none may be left out.
	slices.Sort(service.published)
	if got := slices.Compact(service.published); len(got) != 9000 || len(service.calls) != 3 {
		t.Errorf("got %d records over %d streams", len(got), len(service.calls))
	}
}

func TestMistakeInAFilePublishesNothing(t *testing.T) {
	for name, test := range map[string]struct{ line, want string }{
		"no JSON":          {"{", "not JSON"},
		"no object":        {"[]", "not a JSON object"},
		"two objects":      {"{} {}", "more than one JSON object"},
		"a member too few": {`{"levels":"RED"}`, `unknown member "levels"`},
		"a member twice":   {`{"level":"RED","level":"GREEN"}`, "level is there twice"},
		"a wrong type":     {`{"level":"PURPLE"}`, "a member is not of its type"},
		"too long":         {strings.Repeat(" ", recordBytesMax+1), "more than 65536 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "records")
			if err := os.WriteFile(file, []byte(record(0)+test.line+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			service := &canned{}
			code, stdout, stderr := ask(t, service, "", "publish", file)
			if code != exitUsage || stdout != "" || !strings.Contains(stderr, "records, line 2: ") || !strings.Contains(stderr, test.want) {
				t.Errorf("got exit %d, %q, %q; want %q", code, stdout, stderr, test.want)
			}
			if !reflect.DeepEqual(service.calls, []string(nil)) {
				t.Errorf("got calls %q", service.calls)
			}
		})
	}
}

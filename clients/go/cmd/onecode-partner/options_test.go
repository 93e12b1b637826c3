package main

import (
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestBadUsageIsOneLine(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing")
	for name, test := range map[string]struct{ args, want string }{
		"nothing":            {"", "give a command"},
		"another command":    {"check", `no command "check"`},
		"no server":          {"verify --host 420000 -", "--server is missing"},
		"no host":            {"verify --server 127.0.0.1:1 -", "--host is missing"},
		"no target":          {"translate --server 127.0.0.1:1 -", "--target is missing"},
		"no file":            {"scan --server 127.0.0.1:1 --host 420000", "one operand, not 0"},
		"two files":          {"scan --server 127.0.0.1:1 --host 420000 a b", "one operand, not 2"},
		"an option twice":    {"verify --server 127.0.0.1:1 --host 420000 --host 420000 -", "given twice"},
		"a switch twice":     {"verify --server 127.0.0.1:1 --host 420000 --json - --json", "given twice"},
		"no time":            {"verify --server 127.0.0.1:1 --host 420000 --timeout 0 -", "above 0"},
		"time not a time":    {"verify --server 127.0.0.1:1 --host 420000 --timeout soon -", "above 0"},
		"no number":          {"verify --server 127.0.0.1:1 --host 420000 --timeout NaN -", "above 0"},
		"longer than a day":  {"verify --server 127.0.0.1:1 --host 420000 --timeout 1e300 -", "above 0"},
		"unknown option":     {"publish --server 127.0.0.1:1 --host 420000 -", "-host"},
		"far server":         {"verify --server 192.0.2.1:1 --host 420000 -", "not on loopback"},
		"half a pair":        {"verify --server 127.0.0.1:1 --host 420000 --tls-cert options.go -", "go together"},
		"no token":           {"verify --server 127.0.0.1:1 --host 420000 --token-file options.go -", "does not hold one token"},
		"unreadable file":    {"verify --server 127.0.0.1:1 --host 420000 " + missing, "missing: no such file"},
		"unreadable records": {"publish --server 127.0.0.1:1 " + missing, "missing: no such file"},
		"a directory":        {"scan --server 127.0.0.1:1 --host 420000 .", "cannot read .: is a directory"},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := start("", strings.Fields(test.args)...)
			if code != exitUsage || stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, test.want) {
				t.Errorf("got exit %d, %q, %q; want one line with %q", code, stdout, stderr, test.want)
			}
		})
	}
}

func TestTimeoutIsSecondsOrADuration(t *testing.T) {
	for text, want := range map[string]time.Duration{"3": 3 * time.Second, "0.5": time.Second / 2, "5s": 5 * time.Second, "1m": time.Minute} {
		opts, err := parse([]string{"verify", "--server", "127.0.0.1:1", "--host", "420000", "--timeout", text, "-"})
		if err != nil || opts.timeout != want {
			t.Errorf("%s: got %v and %v, want %v", text, opts.timeout, err, want)
		}
	}
}

func TestHelp(t *testing.T) {
	for _, args := range [][]string{{"--help"}, {"help"}, {"scan", "--help"}} {
		if code, stdout, stderr := start("", args...); code != exitAnswered || stdout != usage || stderr != "" {
			t.Errorf("%q: got exit %d, %q, %q", args, code, stdout, stderr)
		}
	}
}

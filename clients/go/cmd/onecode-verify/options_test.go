package main

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"onecode/clients/go/access"
)

func TestParse(t *testing.T) {
	base := []string{"--server", "127.0.0.1:50051", "--host", "420000"}
	want := func(json bool, timeout time.Duration, codes ...string) options {
		return options{access: access.Options{Server: "127.0.0.1:50051"}, host: "420000", json: json, timeout: timeout, codes: codes}
	}
	for name, test := range map[string]struct {
		args []string
		want options
	}{
		"one code":           {[]string{"A"}, want(false, 5*time.Second, "A")},
		"several codes":      {[]string{"A", "B", "A"}, want(false, 5*time.Second, "A", "B", "A")},
		"standard input":     {[]string{"-"}, want(false, 5*time.Second, "-")},
		"an empty code":      {[]string{""}, want(false, 5*time.Second, "")},
		"flag before a code": {[]string{"--json", "A"}, want(true, 5*time.Second, "A")},
		"flag behind a code": {[]string{"A", "--json", "B", "--timeout=2s"}, want(true, 2*time.Second, "A", "B")},
		"code with a dash":   {[]string{"A", "--", "--json"}, want(false, 5*time.Second, "A", "--json")},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := parse(append(base[:len(base):len(base)], test.args...))
			if err != nil || !reflect.DeepEqual(got, test.want) {
				t.Errorf("got %+v and %v, want %+v", got, err, test.want)
			}
		})
	}
}

func TestBadUsage(t *testing.T) {
	for name, test := range map[string]struct{ args, want string }{
		"nothing":           {"", "--server is missing"},
		"no server":         {"--host 420000 A", "--server is missing"},
		"no host":           {"--server 127.0.0.1:1 A", "six digits"},
		"host too short":    {"--server 127.0.0.1:1 --host 42 A", "six digits"},
		"host with words":   {"--server 127.0.0.1:1 --host 42000x A", "six digits"},
		"no code":           {"--server 127.0.0.1:1 --host 420000", "no CODE"},
		"no time":           {"--server 127.0.0.1:1 --host 420000 --timeout 0s A", "no time"},
		"time not a time":   {"--server 127.0.0.1:1 --host 420000 --timeout soon A", "-timeout"},
		"unknown flag":      {"--server 127.0.0.1:1 --host 420000 --tls A", "-tls"},
		"unknown flag last": {"--server 127.0.0.1:1 --host 420000 A --tls", "-tls"},
		"far server":        {"--server 192.0.2.1:1 --host 420000 A", "not on loopback"},
		"far with a token":  {"--server 192.0.2.1:1 --host 420000 --token-file options.go A", "not on loopback"},
		"half a pair":       {"--server 127.0.0.1:1 --host 420000 --tls-cert options.go A", "go together"},
		"no authority":      {"--server 127.0.0.1:1 --host 420000 --tls-ca options.go A", "options.go has no certificates"},
		"authority missing": {"--server 127.0.0.1:1 --host 420000 --tls-ca nothing A", "nothing: no such file"},
		"no token":          {"--server 127.0.0.1:1 --host 420000 --token-file options.go A", "does not hold one token"},
		"a device":          {"--server 127.0.0.1:1 --host 420000 --token-file /dev/zero A", "no regular file"},
	} {
		t.Run(name, func(t *testing.T) {
			var stdout, stderr strings.Builder
			code := run(strings.Fields(test.args), strings.NewReader(""), &stdout, &stderr)
			if code != exitUsage || stdout.Len() > 0 {
				t.Errorf("got exit %d and output %q", code, stdout.String())
			}
			if line := stderr.String(); strings.Count(line, "\n") != 1 || !strings.Contains(line, test.want) {
				t.Errorf("got %q, want one line with %q", line, test.want)
			}
		})
	}
}

func TestHelp(t *testing.T) {
	var stdout, stderr strings.Builder
	code := run([]string{"--help"}, strings.NewReader(""), &stdout, &stderr)
	if code != exitAnswered || stdout.String() != usage || stderr.Len() > 0 {
		t.Errorf("got exit %d, %q, %q", code, stdout.String(), stderr.String())
	}
}

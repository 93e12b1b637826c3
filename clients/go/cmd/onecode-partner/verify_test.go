package main

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	grpccodes "google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
)

var closing = refuse(grpccodes.Unavailable, "closing", "DRAINING", nil)

func TestVerifyAnswersEachLine(t *testing.T) {
	for name, test := range map[string]struct {
		args  []string
		stdin string
		calls []string
		want  string
	}{
		"lines":          {nil, "forged\ngreen\n", []string{"BatchVerify 420000 2"}, "1" + forgeRest + "2" + greenRest},
		"no line end":    {nil, "green", []string{"BatchVerify 420000 1"}, greens(1)},
		"CR LF":          {nil, "green\r\nforged\r\n", []string{"BatchVerify 420000 2"}, greens(1) + "2" + forgeRest},
		"a newer reason": {nil, "newer", []string{"BatchVerify 420000 1"}, "1\tCHECK\tUNSPECIFIED\t99\t-\tUNSPECIFIED\n"},
		"nothing":        {nil, "", nil, ""},
		"JSON": {[]string{"--json"}, "green", []string{"BatchVerify 420000 1"}, `{"line":1,"decision":"DECISION_ADMIT",` +
			`"level":"LEVEL_GREEN","reason":"REASON_GREEN","home_region":"310000","status":"STATUS_CURRENT"}` + "\n"},
		"more than a batch": {nil, strings.Repeat("green\n", 4097),
			[]string{"BatchVerify 420000 4096", "BatchVerify 420000 1"}, greens(4097)},
	} {
		t.Run(name, func(t *testing.T) {
			service := &canned{}
			code, stdout, stderr := ask(t, service, test.stdin, append([]string{"verify", "--host", "420000", "-"}, test.args...)...)
			if code != exitAnswered || stdout != test.want || stderr != "" {
				t.Errorf("got exit %d, %q, %q; want %q", code, stdout, stderr, test.want)
			}
			if !reflect.DeepEqual(service.calls, test.calls) {
				t.Errorf("got calls %q, want %q", service.calls, test.calls)
			}
		})
	}
}

func TestFailuresOfVerifyAreOneLine(t *testing.T) {
	many := refuse(grpccodes.ResourceExhausted, "too many\ncalls", "OVERLOADED", durationpb.New(1500*time.Millisecond))
	for name, test := range map[string]struct {
		service *canned
		timeout string
		want    string
	}{
		"with a reason": {&canned{fails: []error{refuse(grpccodes.InvalidArgument, "no such host", "HOST_REGION_INVALID", nil)}},
			"10", "INVALID_ARGUMENT: no such host (HOST_REGION_INVALID)\n"},
		"told to wait longer than there is time": {&canned{fails: []error{many}},
			"1", "RESOURCE_EXHAUSTED: too many calls (OVERLOADED), retry in 1.5 s\n"},
		"closing for too long":   {&canned{fails: slices.Repeat([]error{closing}, 100)}, "2", "UNAVAILABLE: closing (DRAINING)\n"},
		"silent":                 {&canned{silent: true}, "0.2", "DEADLINE_EXCEEDED: "},
		"one verdict is missing": {&canned{drop: 1}, "10", "INTERNAL: the server did not answer each code"},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := ask(t, test.service, "green\ngreen\n", "verify", "--host", "42", "--timeout", test.timeout, "-")
			if code != exitFailed || stdout != "" || !strings.HasPrefix(stderr, "onecode-partner: "+test.want) || strings.Count(stderr, "\n") != 1 {
				t.Errorf("got exit %d, %q, %q; want %q", code, stdout, stderr, test.want)
			}
		})
	}
}

func TestVerifyAsksAgainUntilTheServerIsBack(t *testing.T) {
	busy := refuse(grpccodes.ResourceExhausted, "busy", "OVERLOADED", durationpb.New(10*time.Millisecond))
	for name, fails := range map[string][]error{
		"closing longer than gRPC itself tries": {closing, closing, closing, closing, closing, closing},
		"busy":                                  {busy, busy},
	} {
		t.Run(name, func(t *testing.T) {
			service := &canned{fails: fails}
			code, stdout, stderr := ask(t, service, "green", "verify", "--host", "420000", "--timeout", "60", "-")
			if code != exitAnswered || stdout != greens(1) || len(service.calls) != len(fails)+1 {
				t.Errorf("got exit %d, %q, %q after %d calls", code, stdout, stderr, len(service.calls))
			}
		})
	}
}

func TestErrorsTakeNoAnswersAway(t *testing.T) {
	broken := &canned{fails: []error{nil, status.Error(grpccodes.Internal, "broken")}}
	code, stdout, stderr := ask(t, broken, strings.Repeat("green\n", 5000), "verify", "--host", "420000", "-")
	if code != exitFailed || stdout != greens(4096) || stderr != "onecode-partner: INTERNAL: broken\n" {
		t.Errorf("got exit %d, %d lines, %q", code, strings.Count(stdout, "\n"), stderr)
	}
	for _, command := range []string{"verify", "scan"} {
		long := "green\ngreen\n" + strings.Repeat("x", lineBytesMax+1)
		code, stdout, stderr = ask(t, &canned{}, long, command, "--host", "420000", "-")
		if want := "onecode-partner: standard input, line 3: more than 4194304 bytes\n"; code != exitUsage || stdout != greens(2) || stderr != want {
			t.Errorf("%s: got exit %d, %q, %q", command, code, stdout, stderr)
		}
	}
}

func TestNobodyListens(t *testing.T) {
	listener := listen(t)
	listener.Close()
	for _, command := range []string{"verify", "scan"} {
		code, stdout, stderr := start("green", command, "--server", listener.Addr().String(), "--host", "420000", "--timeout", "2s", "-")
		if code != exitFailed || stdout != "" || !strings.HasPrefix(stderr, "onecode-partner: UNAVAILABLE: ") {
			t.Errorf("%s: got exit %d, %q, %q", command, code, stdout, stderr)
		}
	}
}

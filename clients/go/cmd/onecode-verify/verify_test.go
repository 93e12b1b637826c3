package main

import (
	"reflect"
	"strings"
	"testing"

	grpccodes "google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func TestAnswers(t *testing.T) {
	for name, test := range map[string]struct {
		args  []string
		stdin string
		calls []string
		want  string
	}{
		"one code":       {[]string{"green"}, "", []string{"Verify 420000 1"}, "ADMIT  GREEN  GREEN  310000  CURRENT\n"},
		"a refusal":      {[]string{"forged"}, "", []string{"Verify 420000 1"}, "REFUSE  UNSPECIFIED  SIGNATURE_INVALID  -  UNSPECIFIED\n"},
		"a newer reason": {[]string{"newer"}, "", []string{"Verify 420000 1"}, "CHECK  UNSPECIFIED  99  -  UNSPECIFIED\n"},
		"several codes":  {[]string{"green", "forged"}, "", []string{"BatchVerify 420000 2"}, greenLine + forgeLine},
		"lines":          {[]string{"-"}, "forged\ngreen\n", []string{"BatchVerify 420000 2"}, forgeLine + greenLine},
		"one as JSON":    {[]string{"--json", "green"}, "", []string{"Verify 420000 1"}, greenJSON},
		"lines as JSON":  {[]string{"--json", "-"}, "green\nforged", []string{"BatchVerify 420000 2"}, greenJSON + forgeJSON},
		"no lines":       {[]string{"-"}, "", nil, ""},
		"more than a batch": {[]string{"--json", "-"}, strings.Repeat("green\n", 4097),
			[]string{"BatchVerify 420000 4096", "Verify 420000 1"}, strings.Repeat(greenJSON, 4097)},
	} {
		t.Run(name, func(t *testing.T) {
			service := &canned{}
			code, stdout, stderr := ask(t, service, test.stdin, test.args...)
			if code != exitAnswered || stdout != test.want || stderr != "" {
				t.Errorf("got exit %d, %q, %q; want %q", code, stdout, stderr, test.want)
			}
			if !reflect.DeepEqual(service.calls, test.calls) {
				t.Errorf("got calls %q, want %q", service.calls, test.calls)
			}
		})
	}
}

func TestFailures(t *testing.T) {
	closing := refuse(grpccodes.Unavailable, "closing", "SERVER_CLOSING")
	for name, test := range map[string]struct {
		service canned
		args    []string
		want    string
		calls   int
	}{
		"with a reason": {canned{fails: []error{refuse(grpccodes.InvalidArgument, "no such host", "HOST_REGION_INVALID")}},
			[]string{"green"}, "INVALID_ARGUMENT: no such host (HOST_REGION_INVALID)\n", 1},
		"without one": {canned{fails: []error{status.Error(grpccodes.Internal, "broken")}},
			[]string{"green", "green"}, "INTERNAL: broken\n", 1},
		"unavailable throughout": {canned{fails: []error{closing, closing, closing, closing, closing}},
			[]string{"green"}, "UNAVAILABLE: closing (SERVER_CLOSING)\n", 4},
		"silent":              {canned{silent: true}, []string{"green", "--timeout", "500ms"}, "DEADLINE_EXCEEDED: ", 1},
		"no verdict":          {canned{drop: 1}, []string{"green"}, "INTERNAL: the server did not answer each code", 1},
		"one verdict too few": {canned{drop: 1}, []string{"green", "green"}, "INTERNAL: the server did not answer each code", 1},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := ask(t, &test.service, "", test.args...)
			if code != exitFailed || stdout != "" || !strings.HasPrefix(stderr, "onecode-verify: "+test.want) {
				t.Errorf("got exit %d, %q, %q; want %q", code, stdout, stderr, test.want)
			}
			if strings.Count(stderr, "\n") != 1 || len(test.service.calls) != test.calls {
				t.Errorf("got %q after %d calls, want one line after %d", stderr, len(test.service.calls), test.calls)
			}
		})
	}
}

func TestUnavailableIsRetried(t *testing.T) {
	closing := status.Error(grpccodes.Unavailable, "closing")
	for _, codes := range [][]string{{"green"}, {"green", "forged"}} {
		service := &canned{fails: []error{closing, closing}}
		code, _, stderr := ask(t, service, "", codes...)
		if code != exitAnswered || len(service.calls) != 3 {
			t.Errorf("%q: got exit %d, %q after calls %q", codes, code, stderr, service.calls)
		}
	}
}

func TestErrorTakesNoAnswersAway(t *testing.T) {
	service := &canned{fails: []error{nil, status.Error(grpccodes.Internal, "broken")}}
	code, stdout, stderr := ask(t, service, strings.Repeat("green\n", 5000), "-")
	if code != exitFailed || strings.Count(stdout, "\n") != 4096 || stderr != "onecode-verify: INTERNAL: broken\n" {
		t.Errorf("got exit %d, %d lines, %q", code, strings.Count(stdout, "\n"), stderr)
	}
}

// By the count alone these would be one batch, and one message too large for any gRPC server that sets no limit.
func TestLargeBatchFitsTheServer(t *testing.T) {
	service := &canned{}
	line := strings.Repeat("x", 1<<10) + "\n"
	code, stdout, stderr := ask(t, service, strings.Repeat(line, 4096), "-")
	if code != exitAnswered || strings.Count(stdout, "\n") != 4096 || len(service.calls) != 2 {
		t.Errorf("got exit %d, %d lines, %q after calls %q", code, strings.Count(stdout, "\n"), stderr, service.calls)
	}
}

func TestNobodyListens(t *testing.T) {
	listener := listen(t)
	listener.Close()
	code, stdout, stderr := start(listener.Addr().String(), "", "green")
	if code != exitFailed || stdout != "" || !strings.HasPrefix(stderr, "onecode-verify: UNAVAILABLE: ") {
		t.Errorf("got exit %d, %q, %q", code, stdout, stderr)
	}
}

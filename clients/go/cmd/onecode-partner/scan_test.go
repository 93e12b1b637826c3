package main

import (
	"strings"
	"testing"

	grpccodes "google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func TestScanShowsAnswersInTheOrderOfTheLines(t *testing.T) {
	code, stdout, stderr := ask(t, &canned{}, strings.Repeat("green\n", 9001)+"forged", "scan", "--host", "420000", "-")
	if code != exitAnswered || stdout != greens(9001)+"9002"+forgeRest || stderr != "" {
		t.Errorf("got exit %d, %d lines, %q", code, strings.Count(stdout, "\n"), stderr)
	}
}

// An odd count leaves a code without its answer each time.
func TestScanResumesWithWhatIsNotAnswered(t *testing.T) {
	service := &canned{fails: []error{closing, closing, status.Error(grpccodes.Canceled, "gone"), nil}, breakAfter: 301}
	code, stdout, stderr := ask(t, service, strings.Repeat("green\n", 2000), "scan", "--host", "420000", "-")
	if code != exitAnswered || stdout != greens(2000) || len(service.calls) != 4 {
		t.Errorf("got exit %d, %d lines, %q after %d streams", code, strings.Count(stdout, "\n"), stderr, len(service.calls))
	}
}

func TestFailuresOfScanAreOneLine(t *testing.T) {
	for name, test := range map[string]struct {
		service *canned
		shown   int
		want    string
	}{
		"silent":               {&canned{silent: true}, 0, "DEADLINE_EXCEEDED: no answer within 300ms\n"},
		"an answer to no code": {&canned{drop: 7}, 0, "INTERNAL: the server's answer is to no code that waits for one\n"},
		"refused after answers": {&canned{fails: []error{refuse(grpccodes.PermissionDenied, "no right", "NOT_PERMITTED", nil)}, breakAfter: 2}, 2,
			"PERMISSION_DENIED: no right (NOT_PERMITTED)\n"},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := ask(t, test.service, "green\ngreen\ngreen\n", "scan", "--host", "420000", "--timeout", "0.3", "-")
			if code != exitFailed || stdout != greens(test.shown) || stderr != "onecode-partner: "+test.want {
				t.Errorf("got exit %d, %q, %q; want %q", code, stdout, stderr, test.want)
			}
		})
	}
}

package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	grpccodes "google.golang.org/grpc/codes"
)

// records are as many lines, of which each has its number as its sequence.
func records(count int) string {
	var lines strings.Builder
	for number := range count {
		fmt.Fprintf(&lines, "{\"sequence\":%d,\"record\":{\"publisher\":\"420000\"}}\n", number+1)
	}
	return lines.String()
}

func TestEachRecordOfABodyIsPublishedAndAnswered(t *testing.T) {
	got := begin(t, &canned{}).ask(t, "POST", publishPath, linesType, "\n"+records(3)+"  \r\n"+strings.TrimSuffix(records(1), "\n"))
	lines := strings.Split(strings.ReplaceAll(got.body, " ", ""), "\n")
	if got.code != 200 || got.header.Get("Content-Type") != linesType || len(lines) != 5 {
		t.Fatalf("got %d, %v, %q", got.code, got.header, lines)
	}
	if lines[2] != `{"result":{"durable_through":"3","rejections":[]}}` {
		t.Errorf("got %q", lines)
	}
}

func TestABodyIsCheckedWholeBeforeItsFirstRecordIsSent(t *testing.T) {
	service := &canned{}
	gate := begin(t, service)
	for body, want := range map[string]string{
		"":                                      "the body has no record",
		" \n\n":                                 "the body has no record",
		records(2) + "\n{\"sequenze\":3}":       `line 4, column 2: the message has no member "sequenze"`,
		records(1) + `{"sequence":2`:            "line 2, the JSON ends before it is complete",
		records(1) + `{"sequence":2} {}`:        "line 2, column 16: ",
		records(1) + `{"record":{"level":"x"}}`: "line 2, column 20: the value of level is not of the kind enum",
	} {
		got := gate.ask(t, "POST", publishPath, linesType, body)
		if got.code != 400 || got.reason != "REQUEST_UNREADABLE" || !strings.HasPrefix(got.message, want) {
			t.Errorf("%q: got %d, %q, want %q", body, got.code, got.message, want)
		}
	}
	if len(service.sent) > 0 {
		t.Errorf("%d streams were opened", len(service.sent))
	}
}

func TestAFailureBeforeTheFirstAnswerIsAnAnswerOfItsOwn(t *testing.T) {
	denied := refusing(grpccodes.PermissionDenied, "no", "NOT_PERMITTED", nil)
	got := begin(t, &canned{fails: denied}).ask(t, "POST", publishPath, linesType, records(3))
	if got.code != 403 || got.reason != "NOT_PERMITTED" || got.header.Get("Content-Type") != jsonType {
		t.Errorf("got %d, %s", got.code, got.body)
	}
}

func TestOnlyAServerThatSaysNothingForTheTimeoutIsTooLate(t *testing.T) {
	// Five records, half the timeout apart.
	gate := begin(t, &canned{pause: 200 * time.Millisecond}, "--timeout", "0.4")
	got := gate.ask(t, "POST", publishPath, linesType, records(5))
	if got.code != 200 || strings.Count(got.body, "result") != 5 || strings.Contains(got.body, "error") {
		t.Errorf("got %d, %s", got.code, got.body)
	}
	silent := begin(t, &canned{pause: time.Minute}, "--timeout", "0.2").ask(t, "POST", publishPath, linesType, records(5))
	if silent.code != 504 || silent.reason != "SERVER_OVERDUE" {
		t.Errorf("got %d, %s", silent.code, silent.body)
	}
}

func TestAFailureBehindAnswersIsTheLastLine(t *testing.T) {
	draining := refusing(grpccodes.Unavailable, "closing", "DRAINING", nil)
	for name, test := range map[string]struct {
		fails error
		want  string
	}{"with a failure": {draining, `"reason":"DRAINING","domain":"onecode"`}, "well, but early": {nil, `"reason":"STREAM_ENDED","domain":"onecode-gateway"`}} {
		got := begin(t, &canned{fails: test.fails, breakAfter: 2}).ask(t, "POST", publishPath, linesType, records(1000))
		lines := strings.Split(strings.TrimSpace(strings.ReplaceAll(got.body, " ", "")), "\n")
		if got.code != 200 || len(lines) != 3 || !strings.HasPrefix(lines[2], `{"error":{"code":14,`) || !strings.Contains(lines[2], test.want) {
			t.Errorf("%s: got %d, %q", name, got.code, lines)
		}
	}
}

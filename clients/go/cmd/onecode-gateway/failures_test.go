package main

import (
	"strings"
	"testing"
	"time"

	grpccodes "google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
)

func TestFailuresOfTheServerKeepTheirWordsAndReasons(t *testing.T) {
	wait := durationpb.New(1200 * time.Millisecond)
	for name, test := range map[string]struct {
		fails  error
		code   int
		reason string
		retry  string
	}{
		"invalid":           {refusing(grpccodes.InvalidArgument, "no such host", "HOST_REGION_INVALID", nil), 400, "HOST_REGION_INVALID", ""},
		"unauthenticated":   {refusing(grpccodes.Unauthenticated, "who?", "TOKEN_EXPIRED", nil), 401, "TOKEN_EXPIRED", ""},
		"not permitted":     {refusing(grpccodes.PermissionDenied, "no", "NOT_PERMITTED", nil), 403, "NOT_PERMITTED", ""},
		"not found":         {refusing(grpccodes.NotFound, "no", "EXCEPTION_UNKNOWN", nil), 404, "EXCEPTION_UNKNOWN", ""},
		"there already":     {refusing(grpccodes.AlreadyExists, "no", "REQUEST_ID_REUSED", nil), 409, "REQUEST_ID_REUSED", ""},
		"precondition":      {refusing(grpccodes.FailedPrecondition, "no", "ALREADY_TRANSLATED", nil), 400, "ALREADY_TRANSLATED", ""},
		"overload":          {refusing(grpccodes.ResourceExhausted, "busy", "OVERLOADED", wait), 429, "OVERLOADED", "2"},
		"not now":           {refusing(grpccodes.Unavailable, "no", "STORE_UNAVAILABLE", nil), 503, "STORE_UNAVAILABLE", ""},
		"late":              {refusing(grpccodes.DeadlineExceeded, "no", "REQUEST_OVERDUE", nil), 504, "REQUEST_OVERDUE", ""},
		"broken":            {refusing(grpccodes.Internal, "no", "INTERNAL", nil), 500, "INTERNAL", ""},
		"without a reason":  {status.Error(grpccodes.Internal, "at 10.0.0.7"), 500, "SERVER_FAILED", ""},
		"ended as it drain": {status.Error(grpccodes.Canceled, "at 10.0.0.7"), 503, "SERVER_UNREACHABLE", "1"},
	} {
		t.Run(name, func(t *testing.T) {
			got := begin(t, &canned{fails: test.fails}).ask(t, "POST", verifyPath, jsonType, "{}")
			if got.code != test.code || got.reason != test.reason || got.header.Get("Retry-After") != test.retry {
				t.Errorf("got %d, %s, %v", got.code, got.body, got.header)
			}
			if strings.Contains(got.body, "10.0.0.7") || (got.domain == domain) != strings.HasPrefix(test.reason, "SERVER_") {
				t.Errorf("got %s", got.body)
			}
		})
	}
}

func TestAServerThatIsAwayIs503WithOneLineAndItsAddressStaysInTheLog(t *testing.T) {
	away := listen(t)
	away.Close()
	gate := beginAt(t, away.Addr().String())
	for path, kind := range map[string]string{verifyPath: jsonType, publishPath: linesType} {
		got := gate.ask(t, "POST", path, kind, "{}")
		if got.code != 503 || got.reason != "SERVER_UNREACHABLE" || got.message != "the server cannot be reached" || got.header.Get("Retry-After") != "1" {
			t.Errorf("got %d, %s", got.code, got.body)
		}
	}
	if said := gate.log.String(); strings.Count(said, "\n") != 1 || !strings.Contains(said, away.Addr().String()) {
		t.Errorf("the log says %q", said)
	}
	if got := gate.ask(t, "GET", "/healthz", "", ""); got.code != 503 || got.body != "{\"serving\": false}\n" {
		t.Errorf("got %d, %s", got.code, got.body)
	}
}

func TestAServerThatSaysNothingIs504AfterTheTimeout(t *testing.T) {
	got := begin(t, &canned{silent: true}, "--timeout", "0.2").ask(t, "POST", verifyPath, jsonType, "{}")
	if got.code != 504 || got.reason != "SERVER_OVERDUE" {
		t.Errorf("got %d, %s", got.code, got.body)
	}
}

func TestTheLogHasOneLineASecondAndCountsTheOthers(t *testing.T) {
	to := new(strings.Builder)
	log := newLog(to)
	for range 3 {
		log.say("first\nfault")
	}
	log.next = time.Time{}
	log.say("second")
	if to.String() != "onecode-gateway: first fault\nonecode-gateway: second (and 2 other lines before)\n" {
		t.Errorf("got %q", to)
	}
}

package answers

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"
)

// failed is a failed call as the server answers it.
func failed(t *testing.T, code codes.Code, message string, details ...protoadapt.MessageV1) error {
	failure, err := status.New(code, message).WithDetails(details...)
	if err != nil {
		t.Fatal(err)
	}
	return failure.Err()
}

func because(reason string) protoadapt.MessageV1 {
	return &errdetails.ErrorInfo{Reason: reason, Domain: "onecode"}
}

func after(delay time.Duration) protoadapt.MessageV1 {
	return &errdetails.RetryInfo{RetryDelay: durationpb.New(delay)}
}

func TestDescribeIsOneLineOfCodeMessageReasonAndDelay(t *testing.T) {
	for want, err := range map[string]error{
		"read codes.txt: input/output error": errors.New("read codes.txt:\ninput/output error"),
		"UNAVAILABLE: no connection":         failed(t, codes.Unavailable, "no connection"),
		// A message is the server's, and may be a proxy's: it moves no cursor, and adds no line.
		"INTERNAL: a b [2J c": failed(t, codes.Internal, "a\nb\x1b[2J\x00c"),
		"PERMISSION_DENIED: for 420000 only (NOT_PERMITTED)": failed(t, codes.PermissionDenied, "for 420000 only",
			because("NOT_PERMITTED")),
		"UNAVAILABLE: x (A  B)": failed(t, codes.Unavailable, "x", because("A\r\nB")),
		"RESOURCE_EXHAUSTED: busy (OVERLOADED), retry in 1.5 s": failed(t, codes.ResourceExhausted, "busy",
			because("OVERLOADED"), after(1500*time.Millisecond)),
		"RESOURCE_EXHAUSTED: busy, retry in 0 s": failed(t, codes.ResourceExhausted, "busy", after(-time.Second)),
	} {
		if got := Describe(err); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestAFailedCallIsFoundInWhatWrapsIt(t *testing.T) {
	call := failed(t, codes.Unavailable, "no connection", because("SERVER_NOT_TRUSTED"))
	// status.FromError would take the text around it for the call's message.
	found := Status(fmt.Errorf("attempt 4: %w", call))
	if found == nil || found.Message() != "no connection" || Reason(found) != "SERVER_NOT_TRUSTED" {
		t.Errorf("got %v", found)
	}
	if other := Status(errors.New("no call")); other != nil {
		t.Errorf("got %v of an error that is no call's", other)
	}
}

func TestReasonAndDelayAreThoseOfTheirDetails(t *testing.T) {
	for name, test := range map[string]struct {
		details []protoadapt.MessageV1
		reason  string
		delay   time.Duration
		told    bool
	}{
		"no details":       {},
		"another's detail": {details: []protoadapt.MessageV1{&errdetails.Help{}}},
		"both":             {[]protoadapt.MessageV1{after(2 * time.Second), because("A")}, "A", 2 * time.Second, true},
		"a delay of none":  {[]protoadapt.MessageV1{after(0)}, "", 0, true},
		"a delay that was": {[]protoadapt.MessageV1{after(-time.Hour)}, "", 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			failure := Status(failed(t, codes.Unavailable, "x", test.details...))
			delay, told := RetryAfter(failure)
			if reason := Reason(failure); reason != test.reason || delay != test.delay || told != test.told {
				t.Errorf("got %q, %v and %v", reason, delay, told)
			}
		})
	}
}

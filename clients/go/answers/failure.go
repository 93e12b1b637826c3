package answers

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"

	rpccode "google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/status"
)

// Status gives the status of a failed call, and nil for an error that is none.
//
// It is not that of status.FromError, whose message for the last of several attempts is gRPC's account of them all.
func Status(err error) *status.Status {
	var call interface{ GRPCStatus() *status.Status }
	if !errors.As(err, &call) {
		return nil
	}
	return call.GRPCStatus()
}

// Reason gives the reason of a failed call's google.rpc.ErrorInfo; it is empty where there is none.
func Reason(failure *status.Status) string {
	for _, detail := range failure.Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok {
			return info.GetReason()
		}
	}
	return ""
}

// RetryAfter gives the delay of a failed call's google.rpc.RetryInfo, and false where there is none.
func RetryAfter(failure *status.Status) (time.Duration, bool) {
	for _, detail := range failure.Details() {
		if info, ok := detail.(*errdetails.RetryInfo); ok {
			return max(0, info.GetRetryDelay().AsDuration()), true
		}
	}
	return 0, false
}

// Describe puts an error on one line: for a failed call its gRPC code, its message, the reason for programs, and when
// to try again where the server says so.
func Describe(err error) string {
	failure := Status(err)
	if failure == nil {
		return oneLine(err.Error())
	}
	line := fmt.Sprintf("%v: %s", rpccode.Code(failure.Code()), oneLine(failure.Message()))
	if reason := Reason(failure); reason != "" {
		line += fmt.Sprintf(" (%s)", oneLine(reason))
	}
	if after, ok := RetryAfter(failure); ok {
		line += fmt.Sprintf(", retry in %s s", strconv.FormatFloat(after.Seconds(), 'f', -1, 64))
	}
	return line
}

// oneLine replaces control characters: a message is the server's, and may be a proxy's.
func oneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, text)
}

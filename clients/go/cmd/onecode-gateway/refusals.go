package main

import (
	"context"
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"

	"onecode/clients/go/answers"
)

// domain tells reasons of the gateway from the server's, whose domain is "onecode".
const domain = "onecode-gateway"

// soon is when a caller may try again that nobody else tells: overload and restarts pass in seconds.
const soon = time.Second

// refusal is an answer without a result: an HTTP status, and what google.rpc.Status says.
type refusal struct {
	http   int
	status *status.Status
}

var (
	busy     = refused(codes.ResourceExhausted, "GATEWAY_BUSY", "the gateway has as many requests as it can have", soon)
	tooLarge = refusal{http.StatusRequestEntityTooLarge, failed(codes.InvalidArgument, "BODY_TOO_LARGE", "the body has more than 6 MiB")}
	tooSlow  = refusal{http.StatusRequestTimeout, failed(codes.DeadlineExceeded, "BODY_TOO_SLOW", "the body did not come in time")}
	// RFC 9110, section 15.5.20.
	misdirected = refusal{http.StatusMisdirectedRequest, failed(codes.InvalidArgument, "HOST_NOT_LOOPBACK",
		"this gateway is for its own machine: call it by 127.0.0.1, [::1] or localhost")}
	unreachable = refused(codes.Unavailable, "SERVER_UNREACHABLE", "the server cannot be reached", soon)
	overdue     = refused(codes.DeadlineExceeded, "SERVER_OVERDUE", "the server did not answer in time")
)

// failed makes a status with a reason of the gateway's, and with a time to wait where one is given.
func failed(code codes.Code, reason, message string, retry ...time.Duration) *status.Status {
	details := []protoadapt.MessageV1{&errdetails.ErrorInfo{Reason: reason, Domain: domain}}
	for _, wait := range retry {
		details = append(details, &errdetails.RetryInfo{RetryDelay: durationpb.New(wait)})
	}
	made, err := status.New(code, message).WithDetails(details...)
	if err != nil {
		panic(err)
	}
	return made
}

func refused(code codes.Code, reason, message string, retry ...time.Duration) refusal {
	return refusal{runtime.HTTPStatusFromCode(code), failed(code, reason, message, retry...)}
}

func invalid(reason, message string) refusal { return refused(codes.InvalidArgument, reason, message) }

func unauthenticated(reason, message string) refusal {
	return refused(codes.Unauthenticated, reason, message)
}

func internal(message string) *status.Status {
	return failed(codes.Internal, "GATEWAY_FAILED", message)
}

// refuse answers with a refusal.
func refuse(w http.ResponseWriter, r refusal) {
	header := w.Header()
	header.Set("Content-Type", jsonType)
	if r.http == http.StatusUnauthorized {
		header.Set("WWW-Authenticate", "Bearer") // RFC 9110, section 15.5.2
	}
	if after, ok := answers.RetryAfter(r.status); ok {
		// RFC 9110, section 10.2.3: whole seconds.
		header.Set("Retry-After", strconv.Itoa(int(math.Ceil(after.Seconds()))))
	}
	if r.http == http.StatusRequestTimeout {
		header.Set("Connection", "close")
	}
	w.WriteHeader(r.http)
	w.Write(append(marshalStatus(r.status), '\n'))
}

// writeCallError answers a call that failed, and a message that cannot be decoded. It is the mux's error handler.
func (g *gateway) writeCallError(ctx context.Context, _ *runtime.ServeMux, _ runtime.Marshaler, w http.ResponseWriter, r *http.Request, err error) {
	refuse(w, g.refusalOf(ctx, r, err))
}

// refusalOf puts a failure into the words for callers. One that the server has not made itself, which its ErrorInfo
// tells, is the gateway's: its text names the server's address and the like, and goes to the log.
func (g *gateway) refusalOf(ctx context.Context, r *http.Request, err error) refusal {
	failure := answers.Status(err)
	if failure == nil {
		// Only the mux's own: a percent-encoding in the address that is none.
		return invalid("ADDRESS_INVALID", "the address has a percent-encoding that is none")
	}
	code := failure.Code()
	if answers.Reason(failure) != "" {
		if code == codes.Internal || code == codes.Unavailable {
			g.log.say("%s: the server answered %s: %s", nameOf(ctx, r), code, answers.Reason(failure))
		}
		return refusal{runtime.HTTPStatusFromCode(code), failure}
	}
	if code == codes.InvalidArgument {
		return invalid("REQUEST_UNREADABLE", strings.ToValidUTF8(cut(failure.Message(), messageBytesMax), ""))
	}
	if !errors.Is(r.Context().Err(), context.Canceled) {
		// Else the caller has gone, which is no fault.
		g.log.say("%s: %s", nameOf(ctx, r), answers.Describe(err))
	}
	switch code {
	case codes.Unavailable, codes.Canceled:
		// CANCELLED is how gRPC ends calls that arrive as a server drains.
		return unreachable
	case codes.DeadlineExceeded:
		return overdue
	}
	return refused(code, "SERVER_FAILED", "the call failed without a reason of the server's")
}

// writeRoutingError answers a request for an address, or with a method, that there is not.
func (g *gateway) writeRoutingError(_ context.Context, _ *runtime.ServeMux, _ runtime.Marshaler, w http.ResponseWriter, r *http.Request, code int) {
	if r.Context().Value(probeKey{}) != nil {
		return
	}
	switch code {
	case http.StatusMethodNotAllowed:
		methods := strings.Join(g.allowed(r), ", ")
		w.Header().Set("Allow", methods)
		refuse(w, refusal{code, failed(codes.Unimplemented, "METHOD_NOT_ALLOWED", "this address takes "+methods)})
	case http.StatusNotFound:
		refuse(w, refused(codes.NotFound, "ADDRESS_UNKNOWN", "there is nothing at this address: docs/openapi.json lists what there is"))
	default:
		refuse(w, invalid("ADDRESS_INVALID", "the address is no path"))
	}
}

// nameOf names a call without anything that its caller has chosen.
func nameOf(ctx context.Context, r *http.Request) string {
	if pattern, ok := runtime.HTTPPattern(ctx); ok {
		return r.Method + " " + pattern.String()
	}
	return r.Method
}

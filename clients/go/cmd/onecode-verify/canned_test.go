package main

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	grpccodes "google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	onecodev1 "onecode/clients/go/onecode/v1"
)

// canned answers by the code's text, and writes down what it was asked.
type canned struct {
	onecodev1.UnimplementedRecognitionServiceServer
	calls  []string
	fails  []error // one for each call, before any answer
	drop   int     // how many verdicts to leave out
	silent bool
}

var verdicts = map[string]*onecodev1.Verdict{
	"green": {Decision: onecodev1.Decision_DECISION_ADMIT, Level: onecodev1.Level_LEVEL_GREEN,
		Authenticity: onecodev1.Authenticity_AUTHENTICITY_VALID, Status: onecodev1.Status_STATUS_CURRENT,
		Recognition: onecodev1.Recognition_RECOGNITION_RECOGNISED, Reason: onecodev1.Reason_REASON_GREEN,
		HomeRegion: "310000", StatusAgeS: 2},
	"forged": {Decision: onecodev1.Decision_DECISION_REFUSE,
		Authenticity: onecodev1.Authenticity_AUTHENTICITY_BAD_SIGNATURE, Reason: onecodev1.Reason_REASON_SIGNATURE_INVALID},
	"newer": {Decision: onecodev1.Decision_DECISION_CHECK, Reason: 99},
}

const (
	greenLine = "ADMIT   GREEN        GREEN              310000  CURRENT\n"
	forgeLine = "REFUSE  UNSPECIFIED  SIGNATURE_INVALID  -       UNSPECIFIED\n"
	greenJSON = `{"decision":"DECISION_ADMIT","level":"LEVEL_GREEN","authenticity":"AUTHENTICITY_VALID",` +
		`"status":"STATUS_CURRENT","recognition":"RECOGNITION_RECOGNISED","reason":"REASON_GREEN",` +
		`"home_region":"310000","exception_id":"","status_age_s":2}` + "\n"
	forgeJSON = `{"decision":"DECISION_REFUSE","level":"LEVEL_UNSPECIFIED","authenticity":"AUTHENTICITY_BAD_SIGNATURE",` +
		`"status":"STATUS_UNSPECIFIED","recognition":"RECOGNITION_UNSPECIFIED","reason":"REASON_SIGNATURE_INVALID",` +
		`"home_region":"","exception_id":"","status_age_s":0}` + "\n"
)

func (c *canned) called(ctx context.Context, method, host string, count int) error {
	if _, limited := ctx.Deadline(); !limited {
		return status.Error(grpccodes.InvalidArgument, "a call without a deadline")
	}
	c.calls = append(c.calls, fmt.Sprintf("%s %s %d", method, host, count))
	if c.silent {
		<-ctx.Done()
		return ctx.Err()
	}
	if i := len(c.calls) - 1; i < len(c.fails) {
		return c.fails[i]
	}
	return nil
}

func (c *canned) Verify(ctx context.Context, r *onecodev1.VerifyRequest) (*onecodev1.VerifyResponse, error) {
	if err := c.called(ctx, "Verify", r.GetHostRegion(), 1); err != nil {
		return nil, err
	}
	if c.drop > 0 {
		return &onecodev1.VerifyResponse{}, nil
	}
	return &onecodev1.VerifyResponse{Verdict: verdicts[string(r.GetCode())]}, nil
}

func (c *canned) BatchVerify(ctx context.Context, r *onecodev1.BatchVerifyRequest) (*onecodev1.BatchVerifyResponse, error) {
	if err := c.called(ctx, "BatchVerify", r.GetHostRegion(), len(r.GetCodes())); err != nil {
		return nil, err
	}
	answer := &onecodev1.BatchVerifyResponse{}
	for _, code := range r.GetCodes()[c.drop:] {
		answer.Verdicts = append(answer.Verdicts, verdicts[string(code)])
	}
	return answer, nil
}

// listen takes a port that the system chooses.
func listen(t *testing.T) net.Listener {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return listener
}

// ask runs the whole program against the service, and leaves none of its calls running.
func ask(t *testing.T, service *canned, stdin string, args ...string) (code int, stdout, stderr string) {
	listener := listen(t)
	server := grpc.NewServer(grpc.WaitForHandlers(true))
	onecodev1.RegisterRecognitionServiceServer(server, service)
	go server.Serve(listener)
	defer server.Stop()
	return start(listener.Addr().String(), stdin, args...)
}

// start runs the whole program.
func start(server, stdin string, args ...string) (code int, stdout, stderr string) {
	var out, errs strings.Builder
	args = append([]string{"--server", server, "--host", "420000"}, args...)
	code = run(args, strings.NewReader(stdin), &out, &errs)
	return code, out.String(), errs.String()
}

// refuse is an error as the server makes it.
func refuse(code grpccodes.Code, message, reason string) error {
	failure, err := status.New(code, message).WithDetails(&errdetails.ErrorInfo{Reason: reason, Domain: "onecode"})
	if err != nil {
		panic(err)
	}
	return failure.Err()
}

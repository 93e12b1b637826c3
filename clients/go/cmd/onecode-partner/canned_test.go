package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	grpccodes "google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"

	onecodev1 "onecode/clients/go/onecode/v1"
)

// canned answers by the code's text, and writes down what it was asked.
type canned struct {
	onecodev1.UnimplementedRecognitionServiceServer
	onecodev1.UnimplementedStatusServiceServer
	lock   sync.Mutex
	calls  []string
	fails  []error // one for each call; nil where the call goes well
	drop   int     // how many verdicts to leave out
	silent bool
	// For streams: after how many messages each breaks with its failure. Scans are answered in pairs, the later first.
	breakAfter int
	published  []uint64
}

var verdicts = map[string]*onecodev1.Verdict{
	"green": {Decision: onecodev1.Decision_DECISION_ADMIT, Level: onecodev1.Level_LEVEL_GREEN,
		Status: onecodev1.Status_STATUS_CURRENT, Reason: onecodev1.Reason_REASON_GREEN, HomeRegion: "310000"},
	"forged": {Decision: onecodev1.Decision_DECISION_REFUSE, Reason: onecodev1.Reason_REASON_SIGNATURE_INVALID},
	"newer":  {Decision: onecodev1.Decision_DECISION_CHECK, Reason: 99},
}

const (
	greenRest = "\tADMIT\tGREEN\tGREEN\t310000\tCURRENT\n"
	forgeRest = "\tREFUSE\tUNSPECIFIED\tSIGNATURE_INVALID\t-\tUNSPECIFIED\n"
)

// greens are the lines of as many green codes, from the first.
func greens(count int) string {
	var lines strings.Builder
	for number := range count {
		fmt.Fprintf(&lines, "%d%s", number+1, greenRest)
	}
	return lines.String()
}

// called writes a call down, and gives its failure.
func (c *canned) called(ctx context.Context, call string) error {
	c.lock.Lock()
	i := len(c.calls)
	c.calls = append(c.calls, call)
	c.lock.Unlock()
	if c.silent {
		<-ctx.Done()
		return ctx.Err()
	}
	if i < len(c.fails) {
		return c.fails[i]
	}
	return nil
}

func (c *canned) BatchVerify(ctx context.Context, r *onecodev1.BatchVerifyRequest) (*onecodev1.BatchVerifyResponse, error) {
	if err := c.called(ctx, fmt.Sprintf("BatchVerify %s %d", r.GetHostRegion(), len(r.GetCodes()))); err != nil {
		return nil, err
	}
	answer := &onecodev1.BatchVerifyResponse{}
	for _, code := range r.GetCodes()[c.drop:] {
		answer.Verdicts = append(answer.Verdicts, verdicts[string(code)])
	}
	return answer, nil
}

func (c *canned) Translate(ctx context.Context, r *onecodev1.TranslateRequest) (*onecodev1.TranslateResponse, error) {
	if err := c.called(ctx, "Translate "+r.GetTargetRegion()); err != nil {
		return nil, err
	}
	verdict := verdicts[string(r.GetCode())]
	if verdict.GetDecision() != onecodev1.Decision_DECISION_ADMIT {
		return &onecodev1.TranslateResponse{Verdict: verdict}, nil
	}
	return &onecodev1.TranslateResponse{Verdict: verdict, Code: []byte("translated<&>")}, nil
}

func (c *canned) StreamVerify(stream grpc.BidiStreamingServer[scanRequest, scanResponse]) error {
	failure := c.called(stream.Context(), "StreamVerify")
	var pair []*scanRequest
	for count := 0; failure == nil || count < c.breakAfter; count++ {
		request, err := stream.Recv()
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if err == nil {
			pair = append(pair, request)
		}
		for i := len(pair) - 1; i >= 0 && (err != nil || len(pair) == 2); i-- {
			one := &scanResponse{RequestId: pair[i].GetRequestId() + uint64(c.drop), Verdict: verdicts[string(pair[i].GetCode())]}
			if err := stream.Send(one); err != nil {
				return err
			}
			if i == 0 {
				pair = nil
			}
		}
		if err != nil {
			return nil
		}
	}
	return failure
}

func (c *canned) PublishStatuses(stream grpc.BidiStreamingServer[recordRequest, recordResponse]) error {
	failure := c.called(stream.Context(), "PublishStatuses")
	for count := 0; failure == nil || count < c.breakAfter; count++ {
		request, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		answer := &recordResponse{DurableThrough: request.GetSequence()}
		// The revision says what becomes of a record.
		if reason := onecodev1.RejectionReason(request.GetRecord().GetRevision()); reason > 0 {
			answer.Rejections = []*onecodev1.Rejection{{Sequence: request.GetSequence(), Reason: reason}}
		}
		c.published = append(c.published, request.GetSequence())
		if err := stream.Send(answer); err != nil {
			return err
		}
	}
	return failure
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
	server := grpc.NewServer(grpc.WaitForHandlers(true), grpc.MaxRecvMsgSize(5<<20))
	onecodev1.RegisterRecognitionServiceServer(server, service)
	onecodev1.RegisterStatusServiceServer(server, service)
	go server.Serve(listener)
	defer server.Stop()
	return start(stdin, append(args, "--server", listener.Addr().String())...)
}

// start runs the whole program.
func start(stdin string, args ...string) (code int, stdout, stderr string) {
	var out, errs strings.Builder
	code = run(context.Background(), args, strings.NewReader(stdin), &out, &errs)
	return code, out.String(), errs.String()
}

// refuse is an error as the server makes it.
func refuse(code grpccodes.Code, message, reason string, retry *durationpb.Duration) error {
	details := []protoadapt.MessageV1{&errdetails.ErrorInfo{Reason: reason, Domain: "onecode"}}
	if retry != nil {
		details = append(details, &errdetails.RetryInfo{RetryDelay: retry})
	}
	failure, err := status.New(code, message).WithDetails(details...)
	if err != nil {
		panic(err)
	}
	return failure.Err()
}

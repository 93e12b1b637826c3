package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	grpccodes "google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"

	onecodev1 "onecode/clients/go/onecode/v1"
)

// canned answers each call alike, and writes down what came with it.
type canned struct {
	onecodev1.UnimplementedRecognitionServiceServer
	onecodev1.UnimplementedStatusServiceServer
	lock     sync.Mutex
	verified []*onecodev1.VerifyRequest
	sent     []metadata.MD
	fails    error
	silent   bool
	// How many records of a stream are answered before it ends, well or with the failure; 0 for all.
	breakAfter int
	// Before each answer of a stream.
	pause time.Duration
}

func (c *canned) Verify(ctx context.Context, request *onecodev1.VerifyRequest) (*onecodev1.VerifyResponse, error) {
	c.lock.Lock()
	defer c.lock.Unlock()
	sent, _ := metadata.FromIncomingContext(ctx)
	c.sent = append(c.sent, sent)
	c.verified = append(c.verified, request)
	if c.silent {
		<-ctx.Done()
		return nil, status.FromContextError(ctx.Err()).Err()
	}
	return &onecodev1.VerifyResponse{Verdict: &onecodev1.Verdict{Decision: onecodev1.Decision_DECISION_ADMIT}}, c.fails
}

func (c *canned) PublishStatuses(stream onecodev1.StatusService_PublishStatusesServer) error {
	sent, _ := metadata.FromIncomingContext(stream.Context())
	c.sent = append(c.sent, sent)
	for count := 0; c.breakAfter == 0 || count < c.breakAfter; count++ {
		request, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if c.fails != nil && c.breakAfter == 0 {
			return c.fails
		}
		select {
		case <-time.After(c.pause):
		case <-stream.Context().Done():
		}
		if err := stream.Send(&onecodev1.PublishStatusesResponse{DurableThrough: request.GetSequence()}); err != nil {
			return err
		}
	}
	return c.fails
}

// refusing is an error as the server makes it.
func refusing(code grpccodes.Code, message, reason string, retry *durationpb.Duration) error {
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

// listen takes a port that the system chooses.
func listen(t *testing.T) net.Listener {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return listener
}

// front is a gateway in this process, before a canned service.
type front struct {
	*gateway
	url string
	log *strings.Builder
}

func begin(t *testing.T, service *canned, args ...string) front {
	listener := listen(t)
	server := grpc.NewServer(grpc.MaxRecvMsgSize(bodyBytesMax))
	onecodev1.RegisterRecognitionServiceServer(server, service)
	onecodev1.RegisterStatusServiceServer(server, service)
	go server.Serve(listener)
	t.Cleanup(server.Stop)
	return beginAt(t, listener.Addr().String(), args...)
}

func beginAt(t *testing.T, server string, args ...string) front {
	opts, err := parse(append([]string{"--server", server}, args...))
	if err != nil {
		t.Fatal(err)
	}
	channel, err := dial(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { channel.Close() })
	log := new(strings.Builder)
	gate, err := newGateway(opts, channel, newLog(log))
	if err != nil {
		t.Fatal(err)
	}
	http := httptest.NewServer(gate)
	t.Cleanup(http.Close)
	return front{gate, http.URL, log}
}

// answered is what an HTTP client sees.
type answered struct {
	code    int
	header  http.Header
	body    string
	message string
	reason  string
	domain  string
}

func (f front) ask(t *testing.T, method, path, kind, body string, headers ...string) answered {
	request, err := http.NewRequest(method, f.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if kind != "" {
		request.Header.Set("Content-Type", kind)
	}
	for i := 0; i < len(headers); i += 2 {
		request.Header.Add(headers[i], headers[i+1])
	}
	return do(t, request)
}

func do(t *testing.T, request *http.Request) answered {
	client := http.Client{Timeout: time.Minute}
	defer client.CloseIdleConnections()
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	got := answered{code: response.StatusCode, header: response.Header, body: string(content)}
	var failure struct {
		Message string
		Details []struct{ Reason, Domain string }
	}
	if json.Unmarshal(content, &failure) == nil && len(failure.Details) > 0 {
		got.message, got.reason, got.domain = failure.Message, failure.Details[0].Reason, failure.Details[0].Domain
	}
	return got
}

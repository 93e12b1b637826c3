package main

import (
	"context"
	"slices"
	"time"

	"google.golang.org/grpc"
	grpccodes "google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"onecode/clients/go/access"
	onecodev1 "onecode/clients/go/onecode/v1"
)

// A check changes nothing on the server.
var repeated = []string{"Verify", "BatchVerify"}

func dial(opts options) (*grpc.ClientConn, error) {
	channel, err := access.Dial(opts.access, repeated)
	if err != nil {
		return nil, usageError{err}
	}
	return channel, nil
}

type verifier struct {
	client  onecodev1.RecognitionServiceClient
	host    string
	timeout time.Duration
}

func newVerifier(channel grpc.ClientConnInterface, opts options) verifier {
	return verifier{onecodev1.NewRecognitionServiceClient(channel), opts.host, opts.timeout}
}

// verify gives one verdict for each code, in their order.
func (v verifier) verify(ctx context.Context, codes [][]byte) ([]*onecodev1.Verdict, error) {
	ctx, cancel := context.WithTimeout(ctx, v.timeout)
	defer cancel()
	verdicts, err := v.call(ctx, codes)
	if err != nil {
		return nil, err
	}
	// One verdict too few would put every later one beside the wrong code.
	if len(verdicts) != len(codes) || slices.Contains(verdicts, nil) {
		return nil, status.Error(grpccodes.Internal, "the server did not answer each code with one verdict")
	}
	return verdicts, nil
}

func (v verifier) call(ctx context.Context, codes [][]byte) ([]*onecodev1.Verdict, error) {
	if len(codes) == 1 {
		answer, err := v.client.Verify(ctx, &onecodev1.VerifyRequest{Code: codes[0], HostRegion: v.host})
		return []*onecodev1.Verdict{answer.GetVerdict()}, err
	}
	answer, err := v.client.BatchVerify(ctx, &onecodev1.BatchVerifyRequest{Codes: codes, HostRegion: v.host})
	return answer.GetVerdicts(), err
}

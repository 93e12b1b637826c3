package main

import (
	"bytes"
	"context"
	"iter"

	"google.golang.org/grpc"
	grpccodes "google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	onecodev1 "onecode/clients/go/onecode/v1"
)

type (
	scanRequest  = onecodev1.StreamVerifyRequest
	scanResponse = onecodev1.StreamVerifyResponse
)

// scan shows each answer as soon as all before it are shown: the server may answer in another order.
func scan(ctx context.Context, t task) error {
	codes, file, err := t.codes()
	if err != nil {
		return err
	}
	defer file.Close()
	client := onecodev1.NewRecognitionServiceClient(t.channel)
	shown := inOrder{task: t, next: 1, early: map[uint64]*onecodev1.Verdict{}}
	return conversation[scanRequest, scanResponse]{
		open: func(ctx context.Context) (grpc.BidiStreamingClient[scanRequest, scanResponse], error) {
			return client.StreamVerify(ctx)
		},
		accept: shown.accept,
	}.run(ctx, t.scans(codes), t.timeout)
}

// scans numbers codes by their lines.
func (t task) scans(codes iter.Seq2[[]byte, error]) iter.Seq2[item[*scanRequest], error] {
	return func(yield func(item[*scanRequest], error) bool) {
		number := uint64(0)
		for code, err := range codes {
			number++
			request := &scanRequest{RequestId: number, Code: code, HostRegion: t.region}
			if !yield(item[*scanRequest]{number: number, content: request, bytes: len(code)}, err) {
				return
			}
		}
	}
}

// inOrder shows verdicts in the order of their lines, and keeps those that come before their turn: the outbox bounds
// their number.
type inOrder struct {
	task
	next  uint64
	early map[uint64]*onecodev1.Verdict
}

func (o *inOrder) accept(box *outbox[*scanRequest], answer *scanResponse) error {
	number := answer.GetRequestId()
	if answer.GetVerdict() == nil || !box.settle(number) {
		return status.Error(grpccodes.Internal, "the server's answer is to no code that waits for one")
	}
	o.early[number] = answer.GetVerdict()
	var lines bytes.Buffer
	for v := o.early[o.next]; v != nil; v = o.early[o.next] {
		delete(o.early, o.next)
		lines.Write(o.verdictLine(o.next, v))
		o.next++
	}
	return o.print(lines.Bytes())
}

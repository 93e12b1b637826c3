package main

import (
	"context"
	"errors"
	"io"
	"iter"
	"sync"
	"time"

	"google.golang.org/grpc"
	grpccodes "google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// conversation sends items over streams that follow each other, until each is answered.
type conversation[Q, A any] struct {
	open func(context.Context) (grpc.BidiStreamingClient[Q, A], error)
	// accept takes one answer, and settles in the outbox what it answers.
	accept func(*outbox[*Q], *A) error
}

// errUnanswered is how a stream ends that a draining server has closed: what it had read is answered, the rest is not.
var errUnanswered = status.Error(grpccodes.Unavailable, "the server ended the stream before each line was answered")

// run gives the first failure that waiting does not mend, or that lasts for the timeout.
func (c conversation[Q, A]) run(ctx context.Context, items iter.Seq2[item[*Q], error], timeout time.Duration) error {
	late := status.Errorf(grpccodes.DeadlineExceeded, "no answer within %v", timeout)
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	box := newOutbox(items, timeout, func() { end(late) })
	defer box.close()

	var waits patience
	var before error
	for box.wait(ctx) {
		answered, err := c.stream(ctx, box)
		if answered {
			waits, before = patience{}, nil
		}
		if err == nil {
			if !box.isWaiting() {
				continue
			}
			err = errUnanswered
		}
		if ctx.Err() != nil {
			break
		}
		wait, again := waits.after(err)
		if !again || box.isWaiting() && wait >= box.remaining() {
			return err
		}
		before = err
		sleep(ctx, wait)
	}
	if ctx.Err() == nil {
		return box.finish()
	}
	if before != nil {
		// That the time is over says less than why no attempt before has been answered.
		return before
	}
	return cause(ctx)
}

// cause gives the status that says why the context has ended.
func cause(ctx context.Context) error {
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return status.Error(grpccodes.Canceled, "interrupted")
}

// stream sends over one stream and takes its answers until it ends, and reports whether there was any. The error is nil
// where the server has ended the stream well, and an answer that cannot be accepted is an error without a status.
func (c conversation[Q, A]) stream(ctx context.Context, box *outbox[*Q]) (answered bool, err error) {
	ctx, end := context.WithCancel(ctx)
	var sending sync.WaitGroup
	defer sending.Wait()
	defer end()
	stream, err := c.open(ctx)
	if err != nil {
		return false, err
	}
	sending.Go(func() { send(ctx, stream, box) })
	for {
		answer, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return answered, nil
		}
		if err != nil {
			return answered, err
		}
		if err := c.accept(box, answer); err != nil {
			return answered, err
		}
		answered = true
	}
}

// send ends with the items, with the stream, or with the context. Recv tells why a stream has ended.
func send[Q, A any](ctx context.Context, stream grpc.BidiStreamingClient[Q, A], box *outbox[*Q]) {
	sent := uint64(0)
	for {
		next, ok := box.after(ctx, sent)
		if !ok {
			stream.CloseSend()
			return
		}
		if stream.Send(next.content) != nil {
			return
		}
		sent = next.number
	}
}

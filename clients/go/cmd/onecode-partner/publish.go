package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"os"

	"google.golang.org/grpc"
	grpccodes "google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"onecode/clients/go/answers"
	onecodev1 "onecode/clients/go/onecode/v1"
)

type (
	recordRequest  = onecodev1.PublishStatusesRequest
	recordResponse = onecodev1.PublishStatusesResponse
)

// publish reads a file twice, so that a mistake in it publishes nothing. What can be read only once is checked on the
// way.
func publish(ctx context.Context, t task) error {
	if info, err := os.Stat(t.operand); t.operand != "-" && err == nil && info.Mode().IsRegular() {
		if err := t.checkRecords(); err != nil {
			return err
		}
	}
	file, err := t.open()
	if err != nil {
		return err
	}
	defer file.Close()
	client := onecodev1.NewStatusServiceClient(t.channel)
	counted := tally{task: t}
	err = conversation[recordRequest, recordResponse]{
		open: func(ctx context.Context) (grpc.BidiStreamingClient[recordRequest, recordResponse], error) {
			return client.PublishStatuses(ctx)
		},
		accept: counted.accept,
	}.run(ctx, t.requests(t.records(file)), t.timeout)
	// Also where the publication has failed on the way: what is taken stays.
	return errors.Join(err, t.print(counted.line()))
}

func (t task) checkRecords() error {
	file, err := t.open()
	if err != nil {
		return err
	}
	defer file.Close()
	for _, err := range t.records(file) {
		if err != nil {
			return err
		}
	}
	return nil
}

// requests makes the number of a record's line its sequence, which rises as it must.
func (t task) requests(records iter.Seq2[lineRecord, error]) iter.Seq2[item[*recordRequest], error] {
	return func(yield func(item[*recordRequest], error) bool) {
		for one, err := range records {
			request := &recordRequest{Sequence: one.line, Record: one.record}
			if !yield(item[*recordRequest]{number: one.line, content: request, bytes: one.bytes}, err) {
				return
			}
		}
	}
}

// tally counts what became of records.
type tally struct {
	task
	taken, superseded, conflicting, rejected int
}

func (c *tally) accept(box *outbox[*recordRequest], answer *recordResponse) error {
	settled := box.settleThrough(answer.GetDurableThrough())
	if len(answer.GetRejections()) > settled {
		return status.Error(grpccodes.Internal, "the server rejects more records than it has answered")
	}
	c.taken += settled - len(answer.GetRejections())
	var lines bytes.Buffer
	for _, one := range answer.GetRejections() {
		switch one.GetReason() {
		case onecodev1.RejectionReason_REJECTION_REASON_SUPERSEDED:
			c.superseded++
		case onecodev1.RejectionReason_REJECTION_REASON_REVISION_CONFLICT:
			c.conflicting++
		default:
			c.rejected++
		}
		fmt.Fprintf(&lines, "%d\tREJECTED\t%s\n", one.GetSequence(), answers.Short(one.GetReason()))
	}
	return c.print(lines.Bytes())
}

func (c *tally) line() []byte {
	return fmt.Appendf(nil, "taken %d, superseded %d, conflict %d, rejected %d\n", c.taken, c.superseded, c.conflicting, c.rejected)
}

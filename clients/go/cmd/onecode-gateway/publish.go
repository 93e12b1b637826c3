package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"onecode/clients/go/input"
	onecodev1 "onecode/clients/go/onecode/v1"
)

const (
	publishPath = "/v1/statuses:publish"
	// The largest body has some 30,000 records, which a server on a busy machine takes in half a minute. A caller that
	// reads its answers slowly has no more.
	publishFor = 2 * time.Minute
)

// errSilent ends a stream of which nothing was answered for the timeout of a call.
var errSilent = errors.New("no answer within the timeout")

type (
	publishRequest  = onecodev1.PublishStatusesRequest
	publishResponse = onecodev1.PublishStatusesResponse
	publishStream   = onecodev1.StatusService_PublishStatusesClient
)

// publish sends each line of the body as one record, and answers with a line for each response, as grpc-gateway's streams
// do: {"result": …}, and {"error": …} for a failure behind the first. A failure before is an answer like any other.
func (g *gateway) publish(w http.ResponseWriter, r *http.Request, _ map[string]string) {
	records, err := readRecords(r.Body)
	if err != nil {
		refuse(w, invalid("REQUEST_UNREADABLE", err.Error()))
		return
	}
	ctx, end := context.WithCancelCause(outgoing(r))
	defer end(nil)
	silence := time.AfterFunc(g.opts.timeout, func() { end(errSilent) })
	defer silence.Stop()
	http.NewResponseController(w).SetWriteDeadline(time.Now().Add(publishFor + answerFor))
	stream, err := g.statuses.PublishStatuses(ctx)
	if err != nil {
		refuse(w, g.refusalOf(r.Context(), r, err))
		return
	}
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		send(stream, records)
	}()
	g.answer(w, r, stream, records[len(records)-1].GetSequence(), func() { silence.Reset(g.opts.timeout) })
	end(nil)
	<-sent
}

// readRecords reads all lines before the first record is sent, so that a body is refused whole.
func readRecords(body io.Reader) ([]*publishRequest, error) {
	var records []*publishRequest
	number := 0
	for line, err := range input.Lines(body, bodyBytesMax) {
		if err != nil {
			return nil, err
		}
		number++
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		record := new(publishRequest)
		if err := read(line, record); err != nil {
			// A record has one line, and its place there counts from the body's beginning.
			return nil, fmt.Errorf("line %d, %s", number, strings.TrimPrefix(err.Error(), "line 1, "))
		}
		records = append(records, record)
	}
	if len(records) == 0 {
		return nil, errors.New("the body has no record: each line is one, as {\"sequence\": 1, \"record\": {…}}")
	}
	return records, nil
}

// send ends with the records or with the stream, whose answers say why it has ended.
func send(stream publishStream, records []*publishRequest) {
	for _, record := range records {
		if stream.Send(record) != nil {
			return
		}
	}
	stream.CloseSend()
}

// answer writes what the server answers, until it has answered up to the last record. It tells of each answer.
func (g *gateway) answer(w http.ResponseWriter, r *http.Request, stream publishStream, last uint64, answered func()) {
	flush := http.NewResponseController(w).Flush
	began, through := false, uint64(0)
	for {
		response, err := stream.Recv()
		if errors.Is(err, io.EOF) && began && through >= last {
			return
		}
		if err != nil {
			how := failed(codes.Unavailable, "STREAM_ENDED", "the server ended the stream before it had answered each record", soon)
			refused := refusal{http.StatusServiceUnavailable, how}
			switch {
			case errors.Is(context.Cause(stream.Context()), errSilent):
				refused = overdue
			case !errors.Is(err, io.EOF):
				refused = g.refusalOf(r.Context(), r, err)
			}
			if !began {
				refuse(w, refused)
				return
			}
			writeLine(w, "error", marshalStatus(refused.status))
			return
		}
		answered()
		if !began {
			w.Header().Set("Content-Type", linesType)
			began = true
		}
		through = response.GetDurableThrough()
		content, err := written.Marshal(proto.Message(response))
		if err != nil || writeLine(w, "result", content) != nil || flush() != nil {
			return
		}
	}
}

func writeLine(w io.Writer, member string, content []byte) error {
	_, err := fmt.Fprintf(w, "{%q:%s}\n", member, content)
	return err
}

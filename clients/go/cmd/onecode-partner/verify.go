package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"iter"
	"slices"

	grpccodes "google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"onecode/clients/go/input"
	onecodev1 "onecode/clients/go/onecode/v1"
)

// codes gives the lines of the operand.
func (t task) codes() (iter.Seq2[[]byte, error], io.Closer, error) {
	file, err := t.open()
	if err != nil {
		return nil, nil, err
	}
	return func(yield func([]byte, error) bool) {
		for line, err := range input.Lines(file, lineBytesMax) {
			if !yield(line, t.describeInput(err, lineBytesMax)) {
				return
			}
		}
	}, file, nil
}

// verify shows each batch before the next is read, so that a long file needs little memory and an error late in it
// takes no answers away.
func verify(ctx context.Context, t task) error {
	codes, file, err := t.codes()
	if err != nil {
		return err
	}
	defer file.Close()
	number := uint64(0)
	for batch, err := range input.Batches(codes) {
		if err != nil {
			return err
		}
		verdicts, err := t.verifyBatch(ctx, batch)
		if err != nil {
			return err
		}
		var lines bytes.Buffer
		for _, v := range verdicts {
			number++
			lines.Write(t.verdictLine(number, v))
		}
		if err := t.print(lines.Bytes()); err != nil {
			return err
		}
	}
	return nil
}

func (t task) print(text []byte) error {
	if _, err := t.stdout.Write(text); err != nil {
		return fmt.Errorf("standard output: %w", err)
	}
	return nil
}

// verifyBatch gives one verdict for each code, in their order.
func (t task) verifyBatch(ctx context.Context, codes [][]byte) ([]*onecodev1.Verdict, error) {
	ctx, cancel := context.WithTimeout(ctx, t.timeout)
	defer cancel()
	client := onecodev1.NewRecognitionServiceClient(t.channel)
	answer, err := repeat(ctx, func(ctx context.Context) (*onecodev1.BatchVerifyResponse, error) {
		return client.BatchVerify(ctx, &onecodev1.BatchVerifyRequest{Codes: codes, HostRegion: t.region})
	})
	if err != nil {
		return nil, err
	}
	verdicts := answer.GetVerdicts()
	// One verdict too few would put every later one beside the wrong code.
	if len(verdicts) != len(codes) || slices.Contains(verdicts, nil) {
		return nil, status.Error(grpccodes.Internal, "the server did not answer each code with one verdict")
	}
	return verdicts, nil
}

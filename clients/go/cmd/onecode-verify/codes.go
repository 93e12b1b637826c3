package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"iter"
)

const (
	// What BatchVerify takes at most.
	maxBatchCodes = 4096
	// BatchVerify takes 4 MiB, and so does a gRPC message by default; the margin is for each code's tag and length.
	maxBatchBytes = 4<<20 - 64<<10
	// Sixteen times what a code may have. A line a little too long is still the server's to refuse; one beyond
	// this is not from a list of codes.
	maxLineBytes = 64 << 10
)

// codes gives the codes in the order of the arguments, with the lines of stdin in the place of "-".
func codes(args []string, stdin io.Reader) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for _, arg := range args {
			if arg != "-" {
				if !yield([]byte(arg), nil) {
					return
				}
				continue
			}
			for line, err := range lines(stdin) {
				if !yield(line, err) || err != nil {
					return
				}
			}
		}
	}
}

// lines keeps empty lines: each is answered like any other code, so that answer n belongs to line n.
func lines(r io.Reader) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		scanner := bufio.NewScanner(r)
		scanner.Buffer(nil, maxLineBytes)
		number := 1
		for ; scanner.Scan(); number++ {
			if !yield([]byte(scanner.Text()), nil) {
				return
			}
		}
		switch err := scanner.Err(); {
		case errors.Is(err, bufio.ErrTooLong):
			yield(nil, usageError{fmt.Errorf("line %d of standard input is too long to be a code", number)})
		case err != nil:
			yield(nil, fmt.Errorf("standard input: %w", err))
		}
	}
}

// batches cuts codes into what one call may carry. An error comes after the codes before it.
func batches(codes iter.Seq2[[]byte, error]) iter.Seq2[[][]byte, error] {
	return func(yield func([][]byte, error) bool) {
		var batch [][]byte
		size := 0
		flush := func() bool {
			full := batch
			batch, size = nil, 0
			return len(full) == 0 || yield(full, nil)
		}
		for code, err := range codes {
			if err != nil {
				if flush() {
					yield(nil, err)
				}
				return
			}
			if size+len(code) > maxBatchBytes && !flush() {
				return
			}
			batch = append(batch, code)
			size += len(code)
			if len(batch) == maxBatchCodes && !flush() {
				return
			}
		}
		flush()
	}
}

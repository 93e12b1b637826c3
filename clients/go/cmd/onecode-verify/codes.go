package main

import (
	"errors"
	"fmt"
	"io"
	"iter"

	"onecode/clients/go/input"
)

// Sixteen times what a code may have. A line a little too long is still the server's to refuse; one beyond this is not
// from a list of codes.
const maxLineBytes = 64 << 10

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
			for line, err := range input.Lines(stdin, maxLineBytes) {
				if !yield(line, describeInput(err)) || err != nil {
					return
				}
			}
		}
	}
}

func describeInput(err error) error {
	var tooLong input.TooLong
	switch {
	case errors.As(err, &tooLong):
		return usageError{fmt.Errorf("line %d of standard input is too long to be a code", int(tooLong))}
	case err != nil:
		return fmt.Errorf("standard input: %w", err)
	}
	return nil
}

package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"onecode/clients/go/input"
)

// What the server takes as the codes of one call: a longer line is not from a list of codes, and a shorter one is the
// server's to refuse.
const lineBytesMax = 4 << 20

// open gives the file of the operand; the name of standard input is "-".
func (t task) open() (io.ReadCloser, error) {
	if t.operand == "-" {
		return io.NopCloser(t.stdin), nil
	}
	file, err := os.Open(t.operand)
	if err != nil {
		return nil, t.describeInput(err, 0)
	}
	return file, nil
}

func (t task) inputName() string {
	if t.operand == "-" {
		return "standard input"
	}
	return t.operand
}

// describeInput makes an error of reading lines the caller's, with the file that has it.
func (t task) describeInput(err error, bytesMax int) error {
	if err == nil {
		return nil
	}
	var tooLong input.TooLong
	if errors.As(err, &tooLong) {
		return usageError{fmt.Errorf("%s, line %d: more than %d bytes", t.inputName(), int(tooLong), bytesMax)}
	}
	var path *os.PathError
	if errors.As(err, &path) {
		// It names the file as well.
		err = path.Err
	}
	return usageError{fmt.Errorf("cannot read %s: %w", t.inputName(), err)}
}

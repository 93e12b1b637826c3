// Package input reads files of one item a line, and cuts codes into batches.
package input

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
)

// TooLong is the number of a line with more bytes than any item has.
type TooLong int

func (n TooLong) Error() string { return fmt.Sprintf("line %d is too long", int(n)) }

// Lines gives the lines without their line ends, LF or CR LF. It keeps empty lines: each is answered like any other
// code, so that answer n belongs to line n. The last line needs no line end.
//
// The error of a line longer than bytesMax is TooLong, others are the reader's. An error comes after the lines before
// it; what was read of its own line is no line.
func Lines(r io.Reader, bytesMax int) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		reader := bufio.NewReader(r)
		for number := 1; ; number++ {
			line, err := readLine(reader, bytesMax)
			switch {
			case errors.Is(err, io.EOF):
				if len(line) > 0 {
					yield(line, nil)
				}
				return
			case err != nil:
				if errors.Is(err, bufio.ErrTooLong) {
					err = TooLong(number)
				}
				yield(nil, err)
				return
			case !yield(line, nil):
				return
			}
		}
	}
}

// readLine gives io.EOF with a last line that has no line end, and bufio.ErrTooLong without reading such a line whole.
func readLine(reader *bufio.Reader, bytesMax int) ([]byte, error) {
	var line []byte
	for {
		part, err := reader.ReadSlice('\n')
		line = append(line, part...)
		if err == nil {
			line = bytes.TrimSuffix(line[:len(line)-1], []byte("\r"))
		}
		// Until the line has ended, its last byte may be the CR of its line end.
		if len(line) > bytesMax+1 || !errors.Is(err, bufio.ErrBufferFull) && len(line) > bytesMax {
			return nil, bufio.ErrTooLong
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, err
		}
	}
}

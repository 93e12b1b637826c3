package input

import (
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
)

func read(r io.Reader, bytesMax int) (lines []string, failure error) {
	for line, err := range Lines(r, bytesMax) {
		if err != nil {
			return lines, err
		}
		lines = append(lines, string(line))
	}
	return lines, nil
}

func TestLinesEndWithLFOrCRLF(t *testing.T) {
	for text, want := range map[string][]string{
		"":          nil,
		"\n":        {""},
		"A":         {"A"},
		"A\n\nB\n":  {"A", "", "B"},
		"A\r\nB\r":  {"A", "B\r"},
		"A\r\r\n":   {"A\r"},
		"\xff\x00 ": {"\xff\x00 "},
	} {
		for _, r := range []io.Reader{strings.NewReader(text), iotest.OneByteReader(strings.NewReader(text))} {
			if got, err := read(r, 100); err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("%q: got %q and %v, want %q", text, got, err, want)
			}
		}
	}
}

func TestLineHasAtMostTheBytesThatItMay(t *testing.T) {
	// Around the size of the reader's buffer, too.
	for _, bytesMax := range []int{3, 4095, 4096, 4097} {
		fits := strings.Repeat("x", bytesMax)
		for _, end := range []string{"", "\n", "\r\n"} {
			if got, err := read(strings.NewReader(fits+end), bytesMax); err != nil || len(got) != 1 || got[0] != fits {
				t.Errorf("%d and %q: got %d lines and %v", bytesMax, end, len(got), err)
			}
			got, err := read(strings.NewReader("A\n"+fits+"x"+end), bytesMax)
			if number := TooLong(0); len(got) != 1 || !errors.As(err, &number) || number != 2 {
				t.Errorf("%d and %q: got %d lines and %v, want line 2 too long", bytesMax, end, len(got), err)
			}
		}
	}
}

func TestWhatIsReadOfALineBeforeAnErrorIsNoLine(t *testing.T) {
	broken := errors.New("broken pipe")
	got, err := read(io.MultiReader(strings.NewReader("A\nhalf"), iotest.ErrReader(broken)), 100)
	if !reflect.DeepEqual(got, []string{"A"}) || !errors.Is(err, broken) {
		t.Errorf("got %q and %v", got, err)
	}
}

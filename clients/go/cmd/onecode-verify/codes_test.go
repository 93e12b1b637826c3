package main

import (
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"

	"onecode/clients/go/input"
)

// read gives the batches as strings, and the error after them.
func read(args []string, stdin io.Reader) (got [][]string, failure error) {
	for batch, err := range input.Batches(codes(args, stdin)) {
		if err != nil {
			return got, err
		}
		var texts []string
		for _, code := range batch {
			texts = append(texts, string(code))
		}
		got = append(got, texts)
	}
	return got, nil
}

func TestCodes(t *testing.T) {
	for name, test := range map[string]struct {
		args  []string
		stdin string
		want  [][]string
	}{
		"arguments":              {[]string{"A", "B"}, "unread", [][]string{{"A", "B"}}},
		"lines":                  {[]string{"-"}, "A\nB\n", [][]string{{"A", "B"}}},
		"no newline at the end":  {[]string{"-"}, "A\nB", [][]string{{"A", "B"}}},
		"lines of a DOS file":    {[]string{"-"}, "A\r\nB\r\n", [][]string{{"A", "B"}}},
		"empty lines stay":       {[]string{"-"}, "A\n\nB\n", [][]string{{"A", "", "B"}}},
		"lines among arguments":  {[]string{"A", "-", "D"}, "B\nC\n", [][]string{{"A", "B", "C", "D"}}},
		"standard input twice":   {[]string{"-", "-"}, "A\n", [][]string{{"A"}}},
		"nothing":                {[]string{"-"}, "", nil},
		"bytes that are no text": {[]string{"-"}, "\xff\x00\n", [][]string{{"\xff\x00"}}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := read(test.args, strings.NewReader(test.stdin))
			if err != nil || !reflect.DeepEqual(got, test.want) {
				t.Errorf("got %q and %v, want %q", got, err, test.want)
			}
		})
	}
}

func TestBatchSizes(t *testing.T) {
	long := strings.Repeat("x", 4<<10)
	for name, test := range map[string]struct {
		code  string
		count int
		want  []int
	}{
		"one":                 {"A", 1, []int{1}},
		"one short of full":   {"A", 4095, []int{4095}},
		"full":                {"A", 4096, []int{4096}},
		"one more":            {"A", 4097, []int{4096, 1}},
		"twice full":          {"A", 8192, []int{4096, 4096}},
		"4 KiB each, by size": {long, 2017, []int{1008, 1008, 1}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := read([]string{"-"}, strings.NewReader(strings.Repeat(test.code+"\n", test.count)))
			var sizes []int
			for _, batch := range got {
				sizes = append(sizes, len(batch))
			}
			if err != nil || !reflect.DeepEqual(sizes, test.want) {
				t.Errorf("got %v and %v, want %v", sizes, err, test.want)
			}
		})
	}
}

// A full batch must not wait for a line that a slow scanner has yet to send.
func TestFullBatchDoesNotReadOn(t *testing.T) {
	stdin := io.MultiReader(strings.NewReader(strings.Repeat("A\n", 4096)), iotest.ErrReader(errors.New("read on")))
	for batch, err := range input.Batches(codes([]string{"-"}, iotest.OneByteReader(stdin))) {
		if err != nil || len(batch) != 4096 {
			t.Errorf("got %d codes and %v", len(batch), err)
		}
		break
	}
}

func TestErrorComesAfterTheCodesBeforeIt(t *testing.T) {
	broken := errors.New("broken pipe")
	for name, test := range map[string]struct {
		stdin io.Reader
		want  string
		usage bool
	}{
		"line too long": {strings.NewReader("A\nB\n" + strings.Repeat("x", maxLineBytes+1)), "line 3", true},
		"read fails":    {io.MultiReader(strings.NewReader("A\nB\n"), iotest.ErrReader(broken)), "broken pipe", false},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := read([]string{"-", "never"}, test.stdin)
			if !reflect.DeepEqual(got, [][]string{{"A", "B"}}) {
				t.Errorf("got %q", got)
			}
			if err == nil || !strings.Contains(err.Error(), test.want) || errors.As(err, new(usageError)) != test.usage {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

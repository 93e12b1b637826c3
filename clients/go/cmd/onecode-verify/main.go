// Command onecode-verify asks a onecode server whether the bearers of codes may pass, and prints one line a code.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"onecode/clients/go/answers"
	"onecode/clients/go/input"
)

const (
	// Whatever the verdicts: a refusal is an answer, and must not look like a server that is down.
	exitAnswered = 0
	exitFailed   = 1
	exitUsage    = 2
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	err := verifyAll(args, stdin, stdout)
	switch {
	case err == nil:
		return exitAnswered
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(stdout, usage)
		return exitAnswered
	}
	fmt.Fprintln(stderr, "onecode-verify: "+answers.Describe(err))
	if errors.As(err, new(usageError)) {
		return exitUsage
	}
	return exitFailed
}

func verifyAll(args []string, stdin io.Reader, stdout io.Writer) error {
	opts, err := parse(args)
	if err != nil {
		return err
	}
	channel, err := dial(opts)
	if err != nil {
		return err
	}
	defer channel.Close()

	verifier := newVerifier(channel, opts)
	show := showTable
	if opts.json {
		show = showJSON
	}
	// Each batch is shown before the next is read, so that a long input needs little memory and an error late
	// in it takes no answers away.
	for batch, err := range input.Batches(codes(opts.codes, stdin)) {
		if err != nil {
			return err
		}
		verdicts, err := verifier.verify(context.Background(), batch)
		if err != nil {
			return err
		}
		if err := show(stdout, verdicts); err != nil {
			return err
		}
	}
	return nil
}

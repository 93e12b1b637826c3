// Command onecode-partner is what a partner system does with a onecode server: it verifies codes in batches or over a
// stream, translates a code, and publishes status records.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"google.golang.org/grpc"

	"onecode/clients/go/answers"
)

const (
	// Whatever the verdicts: a refusal is an answer, and must not look like a server that is down.
	exitAnswered = 0
	// The server failed or could not be reached, or a part of the answers is missing.
	exitFailed = 1
	// The command line, a file or credentials cannot be used.
	exitUsage = 2
)

// usageError is the caller's mistake, which asking the server again would not mend.
type usageError struct{ error }

// errNotTranslated ends a translation that the verdict does not allow. The verdict is the message.
var errNotTranslated = errors.New("not translated")

// task is one invocation: what to do, over which channel, from where and to where.
type task struct {
	options
	channel grpc.ClientConnInterface
	stdin   io.Reader
	stdout  io.Writer
}

var commands = map[string]func(context.Context, task) error{
	"verify": verify, "scan": scan, "translate": translate, "publish": publish,
}

func main() {
	// The first signal ends the calls, so that what was answered is shown and the error says what happened.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	err := perform(ctx, args, stdin, stdout)
	switch {
	case err == nil:
		return exitAnswered
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(stdout, usage)
		return exitAnswered
	case errors.Is(err, errNotTranslated):
		return exitFailed
	}
	fmt.Fprintln(stderr, "onecode-partner: "+answers.Describe(err))
	if errors.As(err, new(usageError)) {
		return exitUsage
	}
	return exitFailed
}

func perform(ctx context.Context, args []string, stdin io.Reader, stdout io.Writer) error {
	opts, err := parse(args)
	if err != nil {
		return err
	}
	channel, err := dial(opts)
	if err != nil {
		return err
	}
	defer channel.Close()
	return commands[opts.command](ctx, task{opts, channel, stdin, stdout})
}

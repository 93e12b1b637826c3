// Command onecode-gateway answers HTTP requests with JSON, for partners that cannot speak gRPC, by calls to a onecode
// server.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"syscall"

	"google.golang.org/grpc/grpclog"

	"onecode/clients/go/answers"
)

const (
	// The gateway was told to end, and every request had its answer.
	exitEnded = 0
	// A request was cut off at the end of the drain, or listening failed on the way.
	exitFailed = 1
	// The command line, a file, credentials or the address cannot be used.
	exitUsage = 2
)

func main() {
	// The first signal drains; the second ends the process at once, since the context is no longer listened to then.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	err := perform(ctx, args, stdout, stderr)
	switch {
	case err == nil:
		return exitEnded
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(stdout, usage)
		return exitEnded
	}
	fmt.Fprintln(stderr, "onecode-gateway: "+answers.Describe(err))
	if errors.As(err, new(usageError)) {
		return exitUsage
	}
	return exitFailed
}

func perform(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	opts, err := parse(args)
	if err != nil {
		return err
	}
	// gRPC's and the mux's own log may have parts of requests; each failure is told by this program's.
	grpclog.SetLoggerV2(grpclog.NewLoggerV2(io.Discard, io.Discard, io.Discard))
	channel, err := dial(opts)
	if err != nil {
		return usageError{err}
	}
	defer channel.Close()
	gate, err := newGateway(opts, channel, newLog(stderr))
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", opts.listen)
	if err != nil {
		return usageError{err}
	}
	scheme, listener, err := secured(opts, listener)
	if err != nil {
		return usageError{err}
	}
	fmt.Fprintf(stdout, "ready %s=%s\n", scheme, listener.Addr())
	return gate.serve(ctx, listener)
}

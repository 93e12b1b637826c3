package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"time"
)

const usage = `usage: onecode-verify --server ADDRESS:PORT --host REGION [--json] [--timeout 5s] CODE...

Asks a onecode server whether the bearer of each CODE may pass in the host region.
CODE - reads codes from standard input, one a line.

  --server   where the server listens: a loopback address and a port
  --host     where the codes were scanned: six digits of GB/T 2260
  --json     print each verdict as one line of JSON
  --timeout  how long one call may take, retries included
`

// usageError is the caller's mistake, which asking the server again would not mend.
type usageError struct{ error }

type options struct {
	server  string
	host    string
	json    bool
	timeout time.Duration
	codes   []string
}

var sixDigits = regexp.MustCompile(`^[0-9]{6}$`)

func parse(args []string) (options, error) {
	opts, err := parseFlags(args)
	if err == nil {
		err = opts.check()
	}
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		err = usageError{err}
	}
	return opts, err
}

func parseFlags(args []string) (options, error) {
	var opts options
	flags := flag.NewFlagSet("onecode-verify", flag.ContinueOnError)
	// The flag package prints its whole usage for every mistake; one line is enough, and run prints it.
	flags.SetOutput(io.Discard)
	flags.StringVar(&opts.server, "server", "", "")
	flags.StringVar(&opts.host, "host", "", "")
	flags.BoolVar(&opts.json, "json", false, "")
	flags.DurationVar(&opts.timeout, "timeout", 5*time.Second, "")

	args, literal := cutLiteral(args)
	// The flag package stops at the first CODE, and would let a --json behind it pass for a code.
	for {
		if err := flags.Parse(args); err != nil {
			return opts, err
		}
		if flags.NArg() == 0 {
			break
		}
		opts.codes = append(opts.codes, flags.Arg(0))
		args = flags.Args()[1:]
	}
	opts.codes = append(opts.codes, literal...)
	return opts, nil
}

// cutLiteral splits the arguments at a "--", behind which a code may start with a dash.
func cutLiteral(args []string) (before, literal []string) {
	if i := slices.Index(args, "--"); i >= 0 {
		return args[:i], args[i+1:]
	}
	return args, nil
}

func (o options) check() error {
	switch {
	case o.server == "":
		return errors.New("--server is missing: where does the server listen, as in 127.0.0.1:50051?")
	case !sixDigits.MatchString(o.host):
		return fmt.Errorf("--host %q is not six digits of GB/T 2260, as in 420000", o.host)
	case o.timeout <= 0:
		return fmt.Errorf("--timeout %v leaves no time for an answer", o.timeout)
	case len(o.codes) == 0:
		return errors.New("no CODE is given; - reads codes from standard input")
	}
	return checkLoopback(o.server)
}

// checkLoopback refuses any server but this machine's own: without TLS, codes and verdicts would cross the
// network in clear, and anyone on it could answer ADMIT.
func checkLoopback(server string) error {
	host, port, err := net.SplitHostPort(server)
	if err != nil {
		return fmt.Errorf("--server %q is not ADDRESS:PORT", server)
	}
	if number, err := strconv.ParseUint(port, 10, 16); err != nil || number == 0 {
		return fmt.Errorf("--server %q has no port from 1 to 65535", server)
	}
	if address, err := netip.ParseAddr(host); host == "localhost" || err == nil && address.Unmap().IsLoopback() {
		return nil
	}
	return fmt.Errorf("--server %q is not on loopback, and the channel has no TLS: use 127.0.0.1, [::1] or localhost", server)
}

package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"regexp"
	"slices"
	"time"

	"onecode/clients/go/access"
)

const usage = `usage: onecode-verify --server HOST:PORT --host REGION [--json] [--timeout 5s] [TLS] CODE...

Asks a onecode server whether the bearer of each CODE may pass in the host region.
CODE - reads codes from standard input, one a line.

  --server      where the server listens; without TLS, on loopback only
  --host        where the codes were scanned: six digits of GB/T 2260
  --json        print each verdict as one line of JSON
  --timeout     how long one call may take, retries included
  --tls-ca      authorities that vouch for the server, in PEM
  --tls-cert    the certificate to show to the server, in PEM
  --tls-key     its key, in PEM
  --tls-server-name
                the name in the server's certificate, where it is not that of the address
  --token-file  a token to send with each call

Variables stand in for flags: ONECODE_SERVER, ONECODE_TLS_CA, ONECODE_TLS_CLIENT_CERT, ONECODE_TLS_CLIENT_KEY,
ONECODE_TLS_SERVER_NAME and ONECODE_TOKEN_FILE.
`

// usageError is the caller's mistake, which asking the server again would not mend.
type usageError struct{ error }

type options struct {
	access  access.Options
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
	opts.access.Define(flags)
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
	switch err := o.access.Check(); {
	case err != nil:
		return err
	case !sixDigits.MatchString(o.host):
		return fmt.Errorf("--host %q is not six digits of GB/T 2260, as in 420000", o.host)
	case o.timeout <= 0:
		return fmt.Errorf("--timeout %v leaves no time for an answer", o.timeout)
	case len(o.codes) == 0:
		return errors.New("no CODE is given; - reads codes from standard input")
	}
	return nil
}

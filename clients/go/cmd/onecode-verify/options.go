package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strconv"
	"time"
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
	server  string
	host    string
	json    bool
	timeout time.Duration
	codes   []string
	tls     tlsFiles
	token   string
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
	flags.StringVar(&opts.server, "server", os.Getenv("ONECODE_SERVER"), "")
	flags.StringVar(&opts.host, "host", "", "")
	flags.BoolVar(&opts.json, "json", false, "")
	flags.DurationVar(&opts.timeout, "timeout", 5*time.Second, "")
	// The variables of the client's own certificate are not those of a server's.
	flags.StringVar(&opts.tls.ca, "tls-ca", os.Getenv("ONECODE_TLS_CA"), "")
	flags.StringVar(&opts.tls.cert, "tls-cert", os.Getenv("ONECODE_TLS_CLIENT_CERT"), "")
	flags.StringVar(&opts.tls.key, "tls-key", os.Getenv("ONECODE_TLS_CLIENT_KEY"), "")
	flags.StringVar(&opts.tls.serverName, "tls-server-name", os.Getenv("ONECODE_TLS_SERVER_NAME"), "")
	flags.StringVar(&opts.token, "token-file", os.Getenv("ONECODE_TOKEN_FILE"), "")

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
	local, err := isLoopback(o.server)
	if err == nil && !local && !o.tls.given() {
		// Codes and verdicts would cross the network in clear, and anyone on it could answer ADMIT.
		err = fmt.Errorf("--server %q is not on loopback, and the channel has no TLS: use --tls-ca, or 127.0.0.1, [::1] or localhost", o.server)
	}
	return errors.Join(err, o.tls.check())
}

// isLoopback tells whether a server can be this machine's own only.
func isLoopback(server string) (bool, error) {
	host, port, err := net.SplitHostPort(server)
	if err != nil || host == "" {
		return false, fmt.Errorf("--server %q is not HOST:PORT", server)
	}
	if number, err := strconv.ParseUint(port, 10, 16); err != nil || number == 0 {
		return false, fmt.Errorf("--server %q has no port from 1 to 65535", server)
	}
	address, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && address.Unmap().IsLoopback(), nil
}

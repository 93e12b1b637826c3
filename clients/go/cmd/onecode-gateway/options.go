package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"

	"onecode/clients/go/access"
	"onecode/clients/go/flagvalue"
)

const usage = `usage: onecode-gateway --server HOST:PORT [--listen HOST:PORT] [options]

Answers HTTP requests with JSON by calls to a onecode server. docs/http.md describes them, docs/openapi.json lists them.

  --listen      where to listen (127.0.0.1:8080); port 0 lets the system choose
  --listen-tls-cert, --listen-tls-key
                the certificate to show to callers and its key, in PEM: needed to listen beyond this machine
  --listen-client-ca
                authorities of callers, in PEM: nobody connects without a certificate by one of them
  --insecure-plaintext
                listen beyond this machine without TLS: for a network that a mesh or a proxy protects
  --server      where the server listens; without TLS, on loopback only
  --timeout     seconds that one call may take, retries included (10)
  --tls-ca      authorities that vouch for the server, in PEM
  --tls-cert    the certificate to show to the server, in PEM: that of a gateway, which carries its callers' tokens
  --tls-key     its key, in PEM
  --tls-server-name
                the name in the server's certificate, where it is not that of the address
  --token-file  a token to send with each call, in place of its caller's

Variables stand in for options: ONECODE_SERVER, ONECODE_TLS_CA, ONECODE_TLS_CLIENT_CERT, ONECODE_TLS_CLIENT_KEY,
ONECODE_TLS_SERVER_NAME and ONECODE_TOKEN_FILE.

Status: 0 told to end, and every request was answered; 1 some were not; 2 usage, files or the address.
`

// usageError is a mistake of whoever starts the gateway.
type usageError struct{ error }

type options struct {
	listen    string
	listenTLS access.TLSFiles
	plaintext bool
	access    access.Options
	timeout   time.Duration
	// Within which a request must have come with its body. No option of the command: tests have less patience.
	requestFor time.Duration
}

func parse(args []string) (options, error) {
	opts := options{timeout: 10 * time.Second, requestFor: requestFor}
	flags := flag.NewFlagSet("onecode-gateway", flag.ContinueOnError)
	// The flag package prints its whole usage for every mistake; one line is enough, and run prints it.
	flags.SetOutput(io.Discard)
	flags.StringVar(&opts.listen, "listen", "127.0.0.1:8080", "")
	flags.StringVar(&opts.listenTLS.Cert, "listen-tls-cert", "", "")
	flags.StringVar(&opts.listenTLS.Key, "listen-tls-key", "", "")
	flags.StringVar(&opts.listenTLS.CA, "listen-client-ca", "", "")
	flags.BoolVar(&opts.plaintext, "insecure-plaintext", false, "")
	flags.Var((*flagvalue.Seconds)(&opts.timeout), "timeout", "")
	opts.access.Define(flags)
	flagvalue.Once(flags)
	err := flags.Parse(args)
	if err == nil && flags.NArg() > 0 {
		err = fmt.Errorf("%q is no option: the gateway takes no operands", flags.Arg(0))
	}
	if err == nil {
		err = opts.check()
	}
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		err = usageError{err}
	}
	return opts, err
}

func (o options) check() error {
	if err := o.access.Check(); err != nil {
		return err
	}
	host, port, err := net.SplitHostPort(o.listen)
	if err != nil {
		return fmt.Errorf("--listen %q is not HOST:PORT", o.listen)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("--listen %q has no port from 0 to 65535", o.listen)
	}
	if (o.listenTLS.Cert == "") != (o.listenTLS.Key == "") {
		return errors.New("--listen-tls-cert and --listen-tls-key go together: one of them is missing")
	}
	if o.listenTLS.CA != "" && !o.speaksTLS() {
		return errors.New("--listen-client-ca needs --listen-tls-cert: without TLS nobody shows a certificate")
	}
	if access.IsLoopbackHost(host) {
		return nil
	}
	if !o.speaksTLS() && !o.plaintext {
		// Codes, verdicts and tokens would cross the network in clear.
		return fmt.Errorf("--listen %q is not on loopback, and there is no TLS: "+
			"give --listen-tls-cert and --listen-tls-key, or name --insecure-plaintext", o.listen)
	}
	itself, err := o.access.CallsAsItself()
	if err == nil && itself && o.listenTLS.CA == "" {
		err = fmt.Errorf("--listen %q would lend the gateway's own rights to everyone who reaches it: "+
			"give --listen-client-ca, or a gateway's certificate to carry callers' tokens", o.listen)
	}
	return err
}

func (o options) speaksTLS() bool { return o.listenTLS.Cert != "" }

// isLocal tells whether only this machine can reach the gateway.
func (o options) isLocal() bool {
	host, _, err := net.SplitHostPort(o.listen)
	return err == nil && access.IsLoopbackHost(host)
}

package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"time"

	"onecode/clients/go/access"
	"onecode/clients/go/flagvalue"
)

const usage = `usage: onecode-partner verify    --server HOST:PORT --host REGION [--json] [options] FILE
       onecode-partner scan      --server HOST:PORT --host REGION [--json] [options] FILE
       onecode-partner translate --server HOST:PORT --target REGION [--json] [options] CODE
       onecode-partner publish   --server HOST:PORT [options] FILE

verify     asks whether the bearer of each code in FILE may pass in the host region, in batches
scan       asks the same over one stream: each answer is shown as soon as those before it are
translate  prints CODE as a code of the target region
publish    publishes the status records in FILE, one JSON object a line

FILE - is standard input; CODE - reads the code from there. A file of codes has one a line.

  --server      where the server listens; without TLS, on loopback only
  --host        where the codes were scanned: six digits of GB/T 2260
  --target      the region in whose terms to translate; 000000 for the national code
  --json        print each answer as one line of JSON
  --timeout     seconds without an answer after which to give up, retries included (10)
  --tls-ca      authorities that vouch for the server, in PEM
  --tls-cert    the certificate to show to the server, in PEM
  --tls-key     its key, in PEM
  --tls-server-name
                the name in the server's certificate, where it is not that of the address
  --token-file  a token to send with each call

Variables stand in for options: ONECODE_SERVER, ONECODE_TLS_CA, ONECODE_TLS_CLIENT_CERT, ONECODE_TLS_CLIENT_KEY,
ONECODE_TLS_SERVER_NAME and ONECODE_TOKEN_FILE.

Status: 0 answered, whatever the verdicts; 1 the server failed, or the code is not translated; 2 usage or files.
`

type options struct {
	command string
	access  access.Options
	region  string
	json    bool
	timeout time.Duration
	operand string
}

func parse(args []string) (options, error) {
	if len(args) == 0 {
		return options{}, usageError{errors.New("give a command: verify, scan, translate or publish (--help says more)")}
	}
	opts := options{command: args[0]}
	if slices.Contains([]string{"-h", "-help", "--help", "help"}, opts.command) {
		return opts, flag.ErrHelp
	}
	if commands[opts.command] == nil {
		return opts, usageError{fmt.Errorf("there is no command %q: verify, scan, translate and publish are", opts.command)}
	}
	err := opts.parseFlags(args[1:])
	if err == nil {
		err = opts.access.Check()
	}
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		err = usageError{err}
	}
	return opts, err
}

func (o *options) parseFlags(args []string) error {
	flags := flag.NewFlagSet(o.command, flag.ContinueOnError)
	// The flag package prints its whole usage for every mistake; one line is enough, and run prints it.
	flags.SetOutput(io.Discard)
	o.access.Define(flags)
	o.timeout = 10 * time.Second
	flags.Var((*flagvalue.Seconds)(&o.timeout), "timeout", "")
	regionFlag := map[string]string{"verify": "host", "scan": "host", "translate": "target"}[o.command]
	if regionFlag != "" {
		flags.StringVar(&o.region, regionFlag, "", "")
		flags.BoolVar(&o.json, "json", false, "")
	}
	flagvalue.Once(flags)

	operands, err := parseAll(flags, args)
	switch {
	case err != nil:
		return err
	case regionFlag != "" && o.region == "":
		return fmt.Errorf("--%s is missing: six digits of GB/T 2260, as in 420000", regionFlag)
	case len(operands) != 1:
		return fmt.Errorf("%s takes one operand, not %d: a file or a code, - for standard input", o.command, len(operands))
	}
	o.operand = operands[0]
	return nil
}

// parseAll gives the operands. The flag package stops at the first, and would let an option behind it pass for another.
// Behind "--", an operand may start with a dash.
func parseAll(flags *flag.FlagSet, args []string) (operands []string, err error) {
	var literal []string
	if i := slices.Index(args, "--"); i >= 0 {
		args, literal = args[:i], args[i+1:]
	}
	for {
		if err := flags.Parse(args); err != nil {
			return nil, err
		}
		if flags.NArg() == 0 {
			return append(operands, literal...), nil
		}
		operands = append(operands, flags.Arg(0))
		args = flags.Args()[1:]
	}
}

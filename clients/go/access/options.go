// Package access reaches a onecode server: its address, TLS, a token, and what may be sent where.
package access

import (
	"errors"
	"flag"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
)

// Options say how a server is reached.
type Options struct {
	Server string
	TLS    TLSFiles
	Token  string
}

// Define makes flags of the options. Variables stand in for flags that are not given.
func (o *Options) Define(flags *flag.FlagSet) {
	flags.StringVar(&o.Server, "server", os.Getenv("ONECODE_SERVER"), "")
	// The variables of the client's own certificate are not those of a server's.
	flags.StringVar(&o.TLS.CA, "tls-ca", os.Getenv("ONECODE_TLS_CA"), "")
	flags.StringVar(&o.TLS.Cert, "tls-cert", os.Getenv("ONECODE_TLS_CLIENT_CERT"), "")
	flags.StringVar(&o.TLS.Key, "tls-key", os.Getenv("ONECODE_TLS_CLIENT_KEY"), "")
	flags.StringVar(&o.TLS.ServerName, "tls-server-name", os.Getenv("ONECODE_TLS_SERVER_NAME"), "")
	flags.StringVar(&o.Token, "token-file", os.Getenv("ONECODE_TOKEN_FILE"), "")
}

// Check tells what cannot be right whatever the server, and refuses plaintext to anything but this machine.
func (o Options) Check() error {
	if o.Server == "" {
		return errors.New("--server is missing: where does the server listen, as in 127.0.0.1:50051?")
	}
	local, err := isLoopback(o.Server)
	if err == nil && !local && !o.TLS.given() {
		// Codes and verdicts would cross the network in clear, and anyone on it could answer ADMIT.
		err = fmt.Errorf("--server %q is not on loopback, and the channel has no TLS: use --tls-ca, or 127.0.0.1, [::1] or localhost", o.Server)
	}
	if err != nil {
		return err
	}
	return o.TLS.check()
}

// CallsAsItself tells whether a call without a caller's token may have rights: those of a token or certificate that is no
// gateway's (docs/design/identities.md), or those of everyone on the server's machine, where the channel is plaintext.
func (o Options) CallsAsItself() (bool, error) {
	if o.Token != "" || !o.TLS.given() {
		return true, nil
	}
	config, err := o.TLS.Load()
	if err != nil || len(config.Certificates) == 0 {
		return false, err
	}
	uris := config.Certificates[0].Leaf.URIs
	return len(uris) != 1 || !strings.HasPrefix(uris[0].Path, "/gateway/"), nil
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
	return IsLoopbackHost(host), nil
}

// IsLoopbackHost tells whether a name or address, without a port, can be this machine's own only.
func IsLoopbackHost(host string) bool {
	address, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && address.Unmap().IsLoopback()
}

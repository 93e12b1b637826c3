package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"regexp"
	"strings"
	"sync"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
)

const (
	// Four times the list of all public authorities.
	caBytesMax = 1 << 20
	// A chain of ten certificates, or a key of any kind.
	pemBytesMax = 64 << 10
	// What gRPC servers take as the metadata of a call by default.
	tokenBytesMax = 8 << 10
)

// tlsFiles name the PEM files of TLS; all are empty for a channel in plaintext.
// serverName is the name in the server's certificate, where it is not that of the address.
type tlsFiles struct{ ca, cert, key, serverName string }

func (f tlsFiles) given() bool { return f != tlsFiles{} }

func (f tlsFiles) check() error {
	if (f.cert == "") != (f.key == "") {
		return errors.New("--tls-cert and --tls-key go together: one of them is missing")
	}
	return nil
}

// load reads the files. Without --tls-ca, the authorities of the system vouch for the server.
func (f tlsFiles) load() (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: f.serverName}
	if f.ca != "" {
		pem, err := readBounded(f.ca, caBytesMax)
		if err != nil {
			return nil, err
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s has no certificates in PEM", f.ca)
		}
	}
	if f.cert == "" {
		return config, nil
	}
	cert, err := readBounded(f.cert, pemBytesMax)
	if err != nil {
		return nil, err
	}
	key, err := readBounded(f.key, pemBytesMax)
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("%s and %s are no certificate and its key: %w", f.cert, f.key, err)
	}
	config.Certificates = []tls.Certificate{pair}
	return config, nil
}

// renewed reads the files anew for each connection. Files that cannot be used, as a pair of which one half has been
// replaced so far, leave in place what was read before.
type renewed struct {
	credentials.TransportCredentials
	files tlsFiles
	// Connections are made beside each other.
	lock *sync.Mutex
	last *tls.Config
}

func newRenewed(files tlsFiles) (*renewed, error) {
	config, err := files.load()
	if err != nil {
		return nil, err
	}
	return &renewed{credentials.NewTLS(config), files, new(sync.Mutex), config}, nil
}

func (r *renewed) ClientHandshake(ctx context.Context, authority string, conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return credentials.NewTLS(r.config()).ClientHandshake(ctx, authority, conn)
}

func (r *renewed) Clone() credentials.TransportCredentials {
	return &renewed{r.TransportCredentials.Clone(), r.files, new(sync.Mutex), r.config()}
}

func (r *renewed) config() *tls.Config {
	r.lock.Lock()
	defer r.lock.Unlock()
	if config, err := r.files.load(); err == nil {
		r.last = config
	}
	return r.last
}

func transport(files tlsFiles) (credentials.TransportCredentials, error) {
	if !files.given() {
		return insecure.NewCredentials(), nil
	}
	return newRenewed(files)
}

// token sends the token in a file with every call. The file is read each time: it is small, and may be replaced; where
// it cannot be used at that moment, the last token is sent.
type token struct {
	file string
	// Whether the channel must be TLS: a token in plaintext is for whoever is on the way, and so stays on loopback.
	secure bool
	// Calls are made beside each other.
	lock sync.Mutex
	last string
}

func newToken(file string, secure bool) (*token, error) {
	t := &token{file: file, secure: secure}
	text, err := t.read()
	t.last = text
	return t, err
}

// RFC 6750, section 2.1: b64token.
var oneToken = regexp.MustCompile(`^[A-Za-z0-9._~+/-]+=*$`)

func (t *token) read() (string, error) {
	content, err := readBounded(t.file, tokenBytesMax)
	if err != nil {
		return "", err
	}
	text := strings.TrimSpace(string(content))
	if !oneToken.MatchString(text) {
		return "", fmt.Errorf("the token file %s does not hold one token", t.file)
	}
	return text, nil
}

func (t *token) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	t.lock.Lock()
	defer t.lock.Unlock()
	if text, err := t.read(); err == nil {
		t.last = text
	}
	return map[string]string{"authorization": "Bearer " + t.last}, nil
}

func (t *token) RequireTransportSecurity() bool { return t.secure }

func readBounded(name string, max int64) ([]byte, error) {
	// A pipe would hold the caller up, and has its content once.
	if info, err := os.Stat(name); err != nil {
		return nil, err
	} else if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no regular file", name)
	}
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, max+1))
	if err == nil && int64(len(content)) > max {
		err = fmt.Errorf("%s is larger than %d bytes", name, max)
	}
	return content, err
}

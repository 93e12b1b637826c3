package access

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"sync"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
)

const (
	// Four times the list of all public authorities.
	caBytesMax = 1 << 20
	// A chain of ten certificates, or a key of any kind.
	pemBytesMax = 64 << 10
)

// TLSFiles name the PEM files of TLS; all are empty for a channel in plaintext.
// ServerName is the name in the server's certificate, where it is not that of the address.
type TLSFiles struct{ CA, Cert, Key, ServerName string }

func (f TLSFiles) given() bool { return f != TLSFiles{} }

func (f TLSFiles) check() error {
	if (f.Cert == "") != (f.Key == "") {
		return errors.New("--tls-cert and --tls-key go together: one of them is missing")
	}
	return nil
}

// Load reads the files. Without --tls-ca, the authorities of the system vouch for the server.
func (f TLSFiles) Load() (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: f.ServerName}
	if f.CA != "" {
		pem, err := readBounded(f.CA, caBytesMax)
		if err != nil {
			return nil, err
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s has no certificates in PEM", f.CA)
		}
	}
	if f.Cert == "" {
		return config, nil
	}
	cert, err := readBounded(f.Cert, pemBytesMax)
	if err != nil {
		return nil, err
	}
	key, err := readBounded(f.Key, pemBytesMax)
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("%s and %s are no certificate and its key: %w", f.Cert, f.Key, err)
	}
	config.Certificates = []tls.Certificate{pair}
	// Shown whatever authorities the server names: it then refuses the certificate, where it would else say there is none.
	config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
	return config, nil
}

// renewed reads the files anew for each connection. Files that cannot be used, as a pair of which one half has been
// replaced so far, leave in place what was read before.
type renewed struct {
	credentials.TransportCredentials
	files TLSFiles
	// Connections are made beside each other.
	lock *sync.Mutex
	last *tls.Config
}

func newRenewed(files TLSFiles) (*renewed, error) {
	config, err := files.Load()
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
	if config, err := r.files.Load(); err == nil {
		r.last = config
	}
	return r.last
}

func transport(files TLSFiles) (credentials.TransportCredentials, error) {
	if !files.given() {
		return insecure.NewCredentials(), nil
	}
	return newRenewed(files)
}

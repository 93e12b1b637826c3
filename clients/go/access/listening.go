package access

import "crypto/tls"

// Listening makes the TLS of a program that listens, of its own certificate and key. With a CA, callers must show a
// certificate by it. The files are read for each connection, as those of a channel are.
func (f TLSFiles) Listening() (*tls.Config, error) {
	held, err := newRenewed(f)
	if err != nil {
		return nil, err
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			return shown(held.config()), nil
		},
	}, nil
}

func shown(files *tls.Config) *tls.Config {
	config := &tls.Config{
		MinVersion:   tls.VersionTLS12,
		Certificates: files.Certificates,
		// A session that is resumed would count past the end of its caller's authority.
		SessionTicketsDisabled: true,
	}
	if files.RootCAs != nil {
		config.ClientCAs, config.ClientAuth = files.RootCAs, tls.RequireAndVerifyClientCert
	}
	return config
}

// Package testca makes an authority and certificates for tests.
package testca

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Files are a certificate, its key, and the authority that vouches for the other side, in PEM.
type Files struct{ CA, Cert, Key string }

// Authority is a root that signs the certificates of a test.
type Authority struct {
	t    testing.TB
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
	File string
}

// New makes an authority, whose certificate is in a file.
func New(t testing.TB) Authority {
	key, template := newKey(t), &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "ca.crt")
	write(t, file, "CERTIFICATE", der)
	return Authority{t, key, cert, file}
}

// Issue makes files of a certificate for both sides, of the partner with the name.
func (a Authority) Issue(directory, name string) Files {
	return a.IssueTo(directory, "/partner/"+name)
}

// IssueTo makes files of a certificate for both sides, whose SPIFFE id has the path.
func (a Authority) IssueTo(directory, path string) Files {
	key, template := newKey(a.t), &x509.Certificate{
		SerialNumber: big.NewInt(2), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		DNSNames:    []string{"gate.example"},
		URIs:        []*url.URL{{Scheme: "spiffe", Host: "onecode.internal", Path: path}},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	files := Files{a.File, filepath.Join(directory, "tls.crt"), filepath.Join(directory, "tls.key")}
	write(a.t, files.Cert, "CERTIFICATE", der)
	write(a.t, files.Key, "PRIVATE KEY", secret)
	return files
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func write(t testing.TB, file, kind string, der []byte) {
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
}

package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"

	onecodev1 "onecode/clients/go/onecode/v1"
)

// authority is a root that signs the certificates of a test.
type authority struct {
	t    *testing.T
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
	file string
}

func newAuthority(t *testing.T) authority {
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
	return authority{t, key, cert, file}
}

// issue makes files of a certificate for both sides, whose URI ends with the name.
func (a authority) issue(directory, name string) tlsFiles {
	key, template := newKey(a.t), &x509.Certificate{
		SerialNumber: big.NewInt(2), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		DNSNames:    []string{"gate.example"},
		URIs:        []*url.URL{{Scheme: "spiffe", Host: "onecode.internal", Path: "/partner/" + name}},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	files := tlsFiles{ca: a.file, cert: filepath.Join(directory, "tls.crt"), key: filepath.Join(directory, "tls.key")}
	write(a.t, files.cert, "CERTIFICATE", der)
	write(a.t, files.key, "PRIVATE KEY", secret)
	return files
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func write(t *testing.T, file, kind string, der []byte) {
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
}

// greeting is a service that writes down who called, and with which authorization.
type greeting struct {
	canned
	callers []string
}

func (g *greeting) Verify(ctx context.Context, r *onecodev1.VerifyRequest) (*onecodev1.VerifyResponse, error) {
	name := "nobody"
	if from, ok := peer.FromContext(ctx); ok {
		if info, ok := from.AuthInfo.(credentials.TLSInfo); ok && len(info.State.PeerCertificates) > 0 {
			name = info.State.PeerCertificates[0].URIs[0].Path
		}
	}
	sent, _ := metadata.FromIncomingContext(ctx)
	g.callers = append(g.callers, strings.Join(append([]string{name}, sent.Get("authorization")...), " "))
	return g.canned.Verify(ctx, r)
}

// serveTLS serves on a port that the system chooses, and wants certificates of the authority.
func serveTLS(t *testing.T, a authority, service *greeting) string {
	pair := a.issue(t.TempDir(), "server")
	config, err := pair.load()
	if err != nil {
		t.Fatal(err)
	}
	config.ClientCAs, config.ClientAuth = config.RootCAs, tls.RequireAndVerifyClientCert
	listener := listen(t)
	server := grpc.NewServer(grpc.Creds(credentials.NewTLS(config)), grpc.WaitForHandlers(true))
	onecodev1.RegisterRecognitionServiceServer(server, service)
	go server.Serve(listener)
	t.Cleanup(server.Stop)
	return listener.Addr().String()
}

func flagsOf(files tlsFiles) []string {
	return []string{"--tls-ca", files.ca, "--tls-cert", files.cert, "--tls-key", files.key}
}

func TestCertificateAndTokenReachTheServer(t *testing.T) {
	a, service := newAuthority(t), &greeting{}
	files, tokenFile := a.issue(t.TempDir(), "first"), filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(tokenFile, []byte("a.b.c\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	server := serveTLS(t, a, service)
	code, _, stderr := start(server, "", append(flagsOf(files), "--token-file", tokenFile, "green")...)
	if code != exitAnswered || len(service.callers) != 1 || service.callers[0] != "/partner/first Bearer a.b.c" {
		t.Errorf("got exit %d, %q, callers %q", code, stderr, service.callers)
	}
}

func TestVariablesStandInForFlags(t *testing.T) {
	a, service := newAuthority(t), &greeting{}
	files := a.issue(t.TempDir(), "first")
	t.Setenv("ONECODE_TLS_CA", files.ca)
	t.Setenv("ONECODE_TLS_CLIENT_CERT", files.cert)
	t.Setenv("ONECODE_TLS_CLIENT_KEY", files.key)
	code, _, stderr := start(serveTLS(t, a, service), "", "green")
	if code != exitAnswered || len(service.callers) != 1 || service.callers[0] != "/partner/first" {
		t.Errorf("got exit %d, %q, callers %q", code, stderr, service.callers)
	}
}

func TestServerNameIsTheOneThatIsGiven(t *testing.T) {
	a, service := newAuthority(t), &greeting{}
	server, flags := serveTLS(t, a, service), flagsOf(a.issue(t.TempDir(), "first"))
	code, _, stderr := start(server, "", append(flags, "--tls-server-name", "other.example", "green")...)
	if code != exitFailed || !strings.Contains(stderr, "not other.example") {
		t.Errorf("got exit %d, %q", code, stderr)
	}
	t.Setenv("ONECODE_TLS_SERVER_NAME", "gate.example")
	if code, _, stderr := start(server, "", append(flags, "green")...); code != exitAnswered {
		t.Errorf("got exit %d, %q", code, stderr)
	}
}

func TestServerOfAnotherAuthorityIsNotBelieved(t *testing.T) {
	a, other, service := newAuthority(t), newAuthority(t), &greeting{}
	files := a.issue(t.TempDir(), "first")
	files.ca = other.file
	code, _, stderr := start(serveTLS(t, a, service), "", append(flagsOf(files), "green")...)
	if code != exitFailed || !strings.Contains(stderr, "certificate signed by unknown authority") || len(service.callers) > 0 {
		t.Errorf("got exit %d, %q, callers %q", code, stderr, service.callers)
	}
}

func TestFilesAreReadForEachConnectionAndHalfAPairChangesNothing(t *testing.T) {
	a, directory := newAuthority(t), t.TempDir()
	creds, err := newRenewed(a.issue(directory, "first"))
	if err != nil {
		t.Fatal(err)
	}
	name := func() string {
		leaf, err := x509.ParseCertificate(creds.config().Certificates[0].Certificate[0])
		if err != nil {
			t.Fatal(err)
		}
		return leaf.URIs[0].Path
	}
	second := a.issue(t.TempDir(), "second")
	for _, step := range []struct{ from, to, want string }{
		{second.cert, creds.files.cert, "/partner/first"},
		{second.key, creds.files.key, "/partner/second"},
	} {
		content, err := os.ReadFile(step.from)
		if err == nil {
			err = os.WriteFile(step.to, content, 0o600)
		}
		if got := name(); err != nil || got != step.want {
			t.Errorf("got %q and %v, want %q", got, err, step.want)
		}
	}
}

func TestTokenIsReadForEachCallAndAnEmptyFileChangesNothing(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	put := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put("first\n")
	bearer, err := newToken(file, true)
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct{ text, want string }{{"", "first"}, {"second", "second"}, {"two words", "second"}} {
		put(step.text)
		sent, err := bearer.GetRequestMetadata(context.Background())
		if err != nil || sent["authorization"] != "Bearer "+step.want {
			t.Errorf("%q: got %q and %v, want %q", step.text, sent, err, step.want)
		}
	}
}

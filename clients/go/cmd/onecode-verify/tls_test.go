package main

import (
	"context"
	"crypto/tls"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"

	"onecode/clients/go/access"
	"onecode/clients/go/internal/testca"
	onecodev1 "onecode/clients/go/onecode/v1"
)

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
func serveTLS(t *testing.T, a testca.Authority, service *greeting) string {
	pair := a.Issue(t.TempDir(), "server")
	config, err := access.TLSFiles{CA: pair.CA, Cert: pair.Cert, Key: pair.Key}.Load()
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

func flagsOf(files testca.Files) []string {
	return []string{"--tls-ca", files.CA, "--tls-cert", files.Cert, "--tls-key", files.Key}
}

func TestCertificateAndTokenReachTheServer(t *testing.T) {
	a, service := testca.New(t), &greeting{}
	files, tokenFile := a.Issue(t.TempDir(), "first"), filepath.Join(t.TempDir(), "token")
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
	a, service := testca.New(t), &greeting{}
	files := a.Issue(t.TempDir(), "first")
	t.Setenv("ONECODE_TLS_CA", files.CA)
	t.Setenv("ONECODE_TLS_CLIENT_CERT", files.Cert)
	t.Setenv("ONECODE_TLS_CLIENT_KEY", files.Key)
	code, _, stderr := start(serveTLS(t, a, service), "", "green")
	if code != exitAnswered || len(service.callers) != 1 || service.callers[0] != "/partner/first" {
		t.Errorf("got exit %d, %q, callers %q", code, stderr, service.callers)
	}
}

func TestServerNameIsTheOneThatIsGiven(t *testing.T) {
	a, service := testca.New(t), &greeting{}
	server, flags := serveTLS(t, a, service), flagsOf(a.Issue(t.TempDir(), "first"))
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
	a, other, service := testca.New(t), testca.New(t), &greeting{}
	files := a.Issue(t.TempDir(), "first")
	files.CA = other.File
	code, _, stderr := start(serveTLS(t, a, service), "", append(flagsOf(files), "green")...)
	if code != exitFailed || !strings.Contains(stderr, "certificate signed by unknown authority") || len(service.callers) > 0 {
		t.Errorf("got exit %d, %q, callers %q", code, stderr, service.callers)
	}
}

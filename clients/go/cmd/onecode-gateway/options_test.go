package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"onecode/clients/go/internal/testca"
)

func TestBadUsageIsOneLine(t *testing.T) {
	files, taken := testca.New(t).Issue(t.TempDir(), "acme"), listen(t)
	defer taken.Close()
	tlsTo := " --server 127.0.0.1:1 --tls-ca " + files.CA
	for name, test := range map[string]struct{ args, want string }{
		"no server":              {"", "--server is missing"},
		"a far server":           {"--server 192.0.2.1:1", "not on loopback"},
		"an operand":             {"--server 127.0.0.1:1 8080", `"8080" is no option`},
		"an option twice":        {"--server 127.0.0.1:1 --listen 127.0.0.1:0 --listen 127.0.0.1:0", "given twice"},
		"no address":             {"--server 127.0.0.1:1 --listen 8080", "is not HOST:PORT"},
		"no port":                {"--server 127.0.0.1:1 --listen 127.0.0.1:http", "has no port"},
		"half a pair":            {"--server 127.0.0.1:1 --listen-tls-cert x", "go together"},
		"callers without TLS":    {"--server 127.0.0.1:1 --listen-client-ca x", "needs --listen-tls-cert"},
		"far without TLS":        {"--listen 0.0.0.0:0" + tlsTo, "or name --insecure-plaintext"},
		"every address":          {"--listen :0" + tlsTo, "or name --insecure-plaintext"},
		"rights of the machine":  {"--listen 0.0.0.0:0 --insecure-plaintext --server 127.0.0.1:1", "lend the gateway's own rights"},
		"rights of a partner":    {"--listen 0.0.0.0:0 --insecure-plaintext --tls-cert " + files.Cert + " --tls-key " + files.Key + tlsTo, "lend the gateway's own rights"},
		"rights of a token":      {"--listen 0.0.0.0:0 --insecure-plaintext --token-file " + files.Cert + tlsTo, "lend the gateway's own rights"},
		"a missing file":         {"--listen-tls-cert missing --listen-tls-key missing --server 127.0.0.1:1 --listen 127.0.0.1:0", "missing: no such file"},
		"no token":               {"--server 127.0.0.1:1 --token-file " + files.Cert, "does not hold one token"},
		"an address that is not": {"--server 127.0.0.1:1 --listen " + taken.Addr().String(), "address already in use"},
		"no time":                {"--server 127.0.0.1:1 --timeout 0", "above 0"},
	} {
		t.Run(name, func(t *testing.T) {
			var out, errs strings.Builder
			code := run(t.Context(), strings.Fields(test.args), &out, &errs)
			if code != exitUsage || out.Len() > 0 || strings.Count(errs.String(), "\n") != 1 || !strings.Contains(errs.String(), test.want) {
				t.Errorf("got exit %d, %q, %q; want one line with %q", code, &out, &errs, test.want)
			}
		})
	}
}

func TestOthersMayReachAGatewayThatLendsNoRights(t *testing.T) {
	a := testca.New(t)
	partner, gateway := a.Issue(t.TempDir(), "acme"), a.IssueTo(t.TempDir(), "/gateway/g-1")
	listening := []string{"--listen-tls-cert", partner.Cert, "--listen-tls-key", partner.Key}
	far := []string{"--server", "gate.example:1", "--tls-ca", a.File, "--listen", "0.0.0.0:0"}
	for name, args := range map[string][]string{
		"callers' tokens by a gateway's certificate": append(listening, "--tls-cert", gateway.Cert, "--tls-key", gateway.Key),
		"callers' tokens, and no certificate":        listening,
		"a mesh in between":                          {"--insecure-plaintext"},
		"known callers with a partner's rights":      append(listening, "--listen-client-ca", a.File, "--tls-cert", partner.Cert, "--tls-key", partner.Key),
	} {
		if _, err := parse(append(far, args...)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestHelp(t *testing.T) {
	var out, errs strings.Builder
	if code := run(t.Context(), []string{"--help"}, &out, &errs); code != exitEnded || out.String() != usage || errs.Len() > 0 {
		t.Errorf("got exit %d, %q, %q", code, &out, &errs)
	}
}

// started runs the whole program until the test ends it, and gives its address.
func started(t *testing.T, args ...string) (ready string, end func() int) {
	ctx, cancel := context.WithCancel(context.Background())
	said, to := io.Pipe()
	code := make(chan int, 1)
	go func() { code <- run(ctx, append(args, "--listen", "127.0.0.1:0"), to, os.Stderr) }()
	t.Cleanup(cancel)
	line := make([]byte, 100)
	n, err := said.Read(line)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(line[:n])), func() int { cancel(); return <-code }
}

func TestTheProgramSaysWhereItListensAndEndsWell(t *testing.T) {
	ready, end := started(t, "--server", "127.0.0.1:1")
	if _, port, ok := strings.Cut(ready, "ready http=127.0.0.1:"); !ok || port == "0" {
		t.Errorf("got %q", ready)
	}
	if code := end(); code != exitEnded {
		t.Errorf("got exit %d", code)
	}
}

func TestByTLSCallersShowCertificatesAndFilesAreReadForEachConnection(t *testing.T) {
	a, another, directory := testca.New(t), testca.New(t), t.TempDir()
	own, caller, stranger := a.Issue(directory, "gate"), a.Issue(t.TempDir(), "caller"), another.Issue(t.TempDir(), "stranger")
	authorities := filepath.Join(directory, "callers.crt")
	replace(t, a.File, authorities)
	ready, end := started(t, "--server", "127.0.0.1:1", "--listen-tls-cert", own.Cert, "--listen-tls-key", own.Key, "--listen-client-ca", authorities)
	url := strings.Replace(ready, "ready https=", "https://", 1) + "/healthz"
	ask := func(files testca.Files) error {
		roots, pem := x509.NewCertPool(), content(t, a.File)
		roots.AppendCertsFromPEM(pem)
		config := &tls.Config{RootCAs: roots}
		if files.Cert != "" {
			pair, err := tls.LoadX509KeyPair(files.Cert, files.Key)
			if err != nil {
				t.Fatal(err)
			}
			config.Certificates = []tls.Certificate{pair}
		}
		client := http.Client{Timeout: time.Minute, Transport: &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: true, DisableKeepAlives: true}}
		response, err := client.Get(url)
		if err == nil {
			response.Body.Close()
			if response.ProtoMajor != 1 || response.StatusCode != 503 {
				t.Errorf("got %s, %d", response.Proto, response.StatusCode)
			}
		}
		return err
	}
	if err := ask(caller); err != nil {
		t.Error(err)
	}
	for _, files := range []testca.Files{{}, stranger} {
		if ask(files) == nil {
			t.Errorf("%v was let in", files)
		}
	}
	replace(t, another.File, authorities)
	if err := ask(stranger); err != nil {
		t.Error(err)
	}
	if ask(caller) == nil {
		t.Error("a caller was let in by an authority that is not there any more")
	}
	if code := end(); code != exitEnded {
		t.Errorf("got exit %d", code)
	}
}

func content(t *testing.T, file string) []byte {
	found, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// replace renames a copy of one file over the other, as tools do.
func replace(t *testing.T, from, to string) {
	if err := os.WriteFile(to+".new", content(t, from), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(to+".new", to); err != nil {
		t.Fatal(err)
	}
}

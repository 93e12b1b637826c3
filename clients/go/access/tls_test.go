package access

import (
	"crypto/x509"
	"os"
	"testing"

	"onecode/clients/go/internal/testca"
)

func TestFilesAreReadForEachConnectionAndHalfAPairChangesNothing(t *testing.T) {
	a, directory := testca.New(t), t.TempDir()
	first := a.Issue(directory, "first")
	creds, err := newRenewed(TLSFiles{CA: first.CA, Cert: first.Cert, Key: first.Key})
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
	second := a.Issue(t.TempDir(), "second")
	for _, step := range []struct{ from, to, want string }{
		{second.Cert, creds.files.Cert, "/partner/first"},
		{second.Key, creds.files.Key, "/partner/second"},
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

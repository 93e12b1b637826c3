package access

import (
	"context"
	"os"
	"path/filepath"
	"testing"
)

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

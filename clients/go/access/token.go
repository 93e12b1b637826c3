package access

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"sync"
)

// What gRPC servers take as the metadata of a call by default.
const tokenBytesMax = 8 << 10

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

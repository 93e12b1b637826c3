package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
)

const (
	// 4 MiB of codes are 5.4 MiB in base64; the rest is for quotation marks, commas, escapes and white space.
	bodyBytesMax = 6 << 20
	// A body up to here is read without a slot: as many as there are connections have 64 MiB.
	smallBodyBytes = 64 << 10
	// A large body takes up to 35 MiB on its way, with its message and answer. The server checks two large batches at
	// once.
	largeBodiesMax = 8
	// As many calls as one process of the server runs at once by default are more than one gateway is for.
	callsMax = 256
)

const (
	jsonType  = "application/json"
	linesType = "application/x-ndjson"
)

// slots bound what goes on at once. Nobody waits for one: a queue would hide the overload from the caller.
type slots chan struct{}

func (s slots) take() bool {
	select {
	case s <- struct{}{}:
		return true
	default:
		return false
	}
}

func (s slots) give() { <-s }

// admit reads the body of a request whose method and address are known, and passes it on with a deadline. Everything
// that can be refused without the server is refused here.
func (g *gateway) admit(next runtime.HandlerFunc) runtime.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request, params map[string]string) {
		if found, ok := r.Context().Value(probeKey{}).(*bool); ok {
			*found = true
			return
		}
		refused, is := g.refusedCredential(r.Header)
		if !is {
			refused, is = refusedForm(r, params)
		}
		if is {
			drain(r)
			refuse(w, refused)
			return
		}
		body, large, refused, ok := g.readBody(w, r)
		if large {
			defer g.bodies.give()
		}
		if !ok {
			refuse(w, refused)
			return
		}
		if !g.calls.take() {
			refuse(w, busy)
			return
		}
		defer g.calls.give()
		limit := g.opts.timeout
		if r.URL.Path == publishPath {
			limit = publishFor
		}
		ctx, cancel := context.WithTimeout(r.Context(), limit)
		defer cancel()
		passed := r.WithContext(ctx)
		passed.Body = io.NopCloser(bytes.NewReader(body))
		passed.Header = passedOn(r.Header)
		next(w, passed, params)
	}
}

// refusedForm tells what is wrong with a request before its body is read.
func refusedForm(r *http.Request, params map[string]string) (refusal, bool) {
	for _, value := range params {
		if !utf8.ValidString(value) {
			return invalid("ADDRESS_INVALID", "the address is not UTF-8"), true
		}
	}
	if r.Method == http.MethodGet {
		if r.ContentLength != 0 {
			return invalid("BODY_NOT_TAKEN", "GET takes no body: parameters stand behind the question mark"), true
		}
		return refusal{}, false
	}
	if r.URL.RawQuery != "" || r.URL.ForceQuery {
		return invalid("QUERY_NOT_TAKEN", "POST takes no parameters in the address, which proxies log: they are members of the body"), true
	}
	wanted := jsonType
	if r.URL.Path == publishPath {
		wanted = linesType
	}
	kind, parameters, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	charset := strings.ToLower(parameters["charset"])
	if err != nil || kind != wanted || charset != "" && charset != "utf-8" || len(r.Header.Values("Content-Type")) > 1 {
		return refusal{http.StatusUnsupportedMediaType, invalid("CONTENT_TYPE", "the Content-Type must be "+wanted).status}, true
	}
	if encoding := r.Header.Get("Content-Encoding"); encoding != "" && encoding != "identity" {
		return refusal{http.StatusUnsupportedMediaType, invalid("CONTENT_ENCODING", "the body must not be compressed").status}, true
	}
	return refusal{}, false
}

// readBody gives a body whole, and whether it holds a slot of large bodies, which its reader gives back.
//
// A message is decoded from all of its bytes anyway, and a call whose time has begun does not wait for a slow caller.
func (g *gateway) readBody(w http.ResponseWriter, r *http.Request) (body []byte, large bool, _ refusal, ok bool) {
	if r.Method == http.MethodGet {
		return nil, false, refusal{}, true
	}
	if r.ContentLength > bodyBytesMax {
		return nil, false, tooLarge, false
	}
	reader := http.MaxBytesReader(w, r.Body, bodyBytesMax)
	var content bytes.Buffer
	_, err := io.CopyN(&content, reader, smallBodyBytes+1)
	if err == nil {
		if !g.bodies.take() {
			drain(r)
			return nil, false, busy, false
		}
		large = true
		_, err = content.ReadFrom(reader)
	}
	switch {
	case err == nil || errors.Is(err, io.EOF):
		return content.Bytes(), large, refusal{}, true
	case errors.As(err, new(*http.MaxBytesError)):
		return nil, large, tooLarge, false
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, large, tooSlow, false
	}
	// The caller has gone, or its chunks are broken.
	return nil, large, invalid("BODY_UNREADABLE", "the body ended before its end"), false
}

// drain reads what a caller goes on sending, up to the largest body: it would see the end of its connection in place of
// the answer. A caller that asks before (RFC 9110, section 10.1.1) is not sending.
func drain(r *http.Request) {
	if r.Header.Get("Expect") == "" {
		io.CopyN(io.Discard, r.Body, bodyBytesMax)
	}
}

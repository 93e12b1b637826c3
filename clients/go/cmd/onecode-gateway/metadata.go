package main

import (
	"context"
	"net/http"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
)

// forwarded are the only headers that reach the server: who calls, and which trace a call belongs to. A header such as
// Grpc-Metadata-X sets no metadata: the server reserves some for itself, and a stranger must not choose others.
var forwarded = []string{"authorization", "traceparent"}

// incoming is the mux's question about a header. It passes on Authorization by itself.
func incoming(header string) (string, bool) {
	return "traceparent", header == "Traceparent"
}

// outgoing is the context of a call that this program makes itself, with what the mux would send.
func outgoing(r *http.Request) context.Context {
	sent := metadata.MD{}
	for _, key := range forwarded {
		if values := r.Header.Values(key); len(values) > 0 {
			sent[key] = values
		}
	}
	return metadata.NewOutgoingContext(r.Context(), sent)
}

// nothing of the server's metadata is for the caller: what matters stands in the answer.
func nothing(string) (string, bool) { return "", false }

// narrow takes away what the mux adds, such as the caller's address, and would add in another version.
func narrow(ctx context.Context) context.Context {
	sent, _ := metadata.FromOutgoingContext(ctx)
	kept := metadata.MD{}
	for _, key := range forwarded {
		if values := sent.Get(key); len(values) > 0 {
			kept[key] = values
		}
	}
	return metadata.NewOutgoingContext(ctx, kept)
}

func narrowUnary(
	ctx context.Context, method string, request, answer any, channel *grpc.ClientConn, call grpc.UnaryInvoker, opts ...grpc.CallOption,
) error {
	return call(narrow(ctx), method, request, answer, channel, opts...)
}

func narrowStream(
	ctx context.Context, of *grpc.StreamDesc, channel *grpc.ClientConn, method string, open grpc.Streamer, opts ...grpc.CallOption,
) (grpc.ClientStream, error) {
	return open(narrow(ctx), of, channel, method, opts...)
}

// isText tells whether a header's value can be metadata. The mux would leave a value out that cannot, and with it the
// caller's credential.
func isText(value string) bool {
	for _, character := range []byte(value) {
		if character < 0x20 || character > 0x7e {
			return false
		}
	}
	return true
}

const (
	// The longest token that the server reads, and its scheme. The server takes 12 KiB of metadata in all.
	authorizationBytesMax = 8<<10 + len("Bearer ")
	// Four times that of today's version (W3C Trace Context, section 3.2).
	traceparentBytesMax = 256
)

// passedOn gives the headers that the mux sees. Two authorizations are as many as it takes for the server to refuse them;
// a traceparent that is none makes no call fail.
func passedOn(header http.Header) http.Header {
	passed := http.Header{}
	if values := header.Values("Authorization"); len(values) > 0 {
		passed["Authorization"] = values[:min(len(values), 2)]
	}
	if values := header.Values("Traceparent"); len(values) == 1 && len(values[0]) <= traceparentBytesMax && isText(values[0]) {
		passed["Traceparent"] = values
	}
	return passed
}

// refusedCredential tells what is wrong with the credential of a request before the server looks at it.
func (g *gateway) refusedCredential(header http.Header) (refusal, bool) {
	values, size := header.Values("Authorization"), 0
	for _, value := range values {
		if size += len(value); size > authorizationBytesMax {
			return unauthenticated("AUTHORIZATION_UNREADABLE", "the authorization is longer than a token may be"), true
		}
		if !isText(value) {
			return unauthenticated("AUTHORIZATION_UNREADABLE", "the authorization has characters other than printable ASCII"), true
		}
	}
	if len(values) > 0 && g.opts.access.Token != "" {
		return unauthenticated("AUTHORIZATION_NOT_TAKEN", "this gateway calls with a token of its own, and takes none"), true
	}
	return refusal{}, false
}

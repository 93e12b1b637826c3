package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"

	"onecode/clients/go/access"
	onecodev1 "onecode/clients/go/onecode/v1"
)

// A check and a translation change nothing that counts.
var repeated = []string{"Verify", "BatchVerify", "Translate", "BatchTranslate"}

func dial(opts options) (*grpc.ClientConn, error) {
	return access.Dial(opts.access, repeated, access.Reconnecting,
		grpc.WithChainUnaryInterceptor(narrowUnary), grpc.WithChainStreamInterceptor(narrowStream))
}

// gateway answers all requests.
type gateway struct {
	opts     options
	log      *faultLog
	mux      *runtime.ServeMux
	statuses onecodev1.StatusServiceClient
	health   *health
	calls    slots
	bodies   slots
	draining atomic.Bool
}

func newGateway(opts options, channel *grpc.ClientConn, log *faultLog) (*gateway, error) {
	g := &gateway{
		opts: opts, log: log, health: newHealth(channel), statuses: onecodev1.NewStatusServiceClient(channel),
		calls: make(slots, callsMax), bodies: make(slots, largeBodiesMax),
	}
	g.mux = runtime.NewServeMux(
		runtime.WithMarshalerOption(runtime.MIMEWildcard, newNotation()),
		runtime.WithIncomingHeaderMatcher(incoming),
		runtime.WithOutgoingHeaderMatcher(nothing),
		runtime.WithOutgoingTrailerMatcher(nothing),
		runtime.WithErrorHandler(g.writeCallError),
		runtime.WithRoutingErrorHandler(g.writeRoutingError),
		runtime.WithDisablePathLengthFallback(),
		runtime.WithDisableHTTPMethodOverride(),
		// An id is one segment of the address, whatever is percent-encoded in it.
		runtime.WithUnescapingMode(runtime.UnescapingModeAllExceptSlash),
		runtime.WithMiddlewares(g.admit),
		runtime.SetQueryParameterParser(strictQuery{}),
	)
	for _, register := range []func(context.Context, *runtime.ServeMux, *grpc.ClientConn) error{
		onecodev1.RegisterRecognitionServiceHandler,
		onecodev1.RegisterStatusServiceHandler,
		onecodev1.RegisterExceptionServiceHandler,
		onecodev1.RegisterTrustListServiceHandler,
	} {
		if err := register(context.Background(), g.mux, channel); err != nil {
			return nil, fmt.Errorf("the mapping of gateway.yaml: %w", err)
		}
	}
	// A later pattern goes first: this one takes the place of the mux's own stream, which has an answer of another form
	// for each failure.
	return g, g.mux.HandlePath(http.MethodPost, publishPath, g.publish)
}

// ServeHTTP answers one request, whatever becomes of it.
func (g *gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	defer func() {
		if fault := recover(); fault != nil {
			if fault == http.ErrAbortHandler {
				panic(fault)
			}
			// Its text may have a part of the request.
			g.log.say("%s: unexpected failure of kind %T", r.Method, fault)
			refuse(w, refusal{http.StatusInternalServerError, internal("the gateway failed, and has logged that")})
		}
	}()
	// Answers are for this caller, at this moment.
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if !g.isMeantForHere(r) {
		refuse(w, misdirected)
		return
	}
	if r.URL.Path == "/healthz" {
		g.answerHealth(w, r)
		return
	}
	g.mux.ServeHTTP(w, r)
}

// isMeantForHere refuses names that are not this machine's where nobody else can be the caller: a web page of a name
// that its owner lets point here would otherwise call as this machine does (DNS rebinding). By TLS no browser would.
func (g *gateway) isMeantForHere(r *http.Request) bool {
	if !g.opts.isLocal() || g.opts.speaksTLS() {
		return true
	}
	host, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		host = r.Host
	}
	return access.IsLoopbackHost(host) || access.IsLoopbackHost(trimBrackets(host))
}

func trimBrackets(host string) string {
	if len(host) > 1 && host[0] == '[' && host[len(host)-1] == ']' {
		return host[1 : len(host)-1]
	}
	return host
}

type probeKey struct{}

// allowed lists the methods of an address, for the header Allow: the mux tells only that another one would do.
func (g *gateway) allowed(r *http.Request) []string {
	var methods []string
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		found := false
		probe := r.Clone(context.WithValue(r.Context(), probeKey{}, &found))
		probe.Method = method
		g.mux.ServeHTTP(discard{}, probe)
		if found {
			methods = append(methods, method)
		}
	}
	return methods
}

// discard is where nothing is written.
type discard struct{}

func (discard) Header() http.Header               { return http.Header{} }
func (discard) Write(content []byte) (int, error) { return len(content), nil }
func (discard) WriteHeader(int)                   {}

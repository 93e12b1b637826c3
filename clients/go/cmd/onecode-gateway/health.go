package main

import (
	"context"
	"io"
	"net/http"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
)

const (
	// A probe's own time-out is some seconds as a rule.
	probeFor = 2 * time.Second
	// Probes come every few seconds; others may come at any rate, and cost the server one call a second.
	probeKept = time.Second
)

// health asks the server, at most once a second, with the credentials of the gateway itself.
type health struct {
	client healthv1.HealthClient
	lock   sync.Mutex
	asked  time.Time
	serves bool
}

func newHealth(channel grpc.ClientConnInterface) *health {
	return &health{client: healthv1.NewHealthClient(channel)}
}

func (h *health) isServing() bool {
	h.lock.Lock()
	defer h.lock.Unlock()
	if time.Since(h.asked) < probeKept {
		return h.serves
	}
	// Not the context of a request: others wait for the same answer.
	ctx, cancel := context.WithTimeout(context.Background(), probeFor)
	defer cancel()
	answer, err := h.client.Check(ctx, &healthv1.HealthCheckRequest{})
	switch status.Code(err) {
	case codes.OK:
		h.serves = answer.GetStatus() == healthv1.HealthCheckResponse_SERVING
	case codes.Unauthenticated, codes.PermissionDenied:
		// A gateway without a certificate of its own is nobody, and learns at least that the server answers.
		h.serves = true
	default:
		h.serves = false
	}
	h.asked = time.Now()
	return h.serves
}

// answerHealth is for probes: 200 while requests can be answered, else 503.
func (g *gateway) answerHealth(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		refuse(w, refusal{http.StatusMethodNotAllowed, failed(codes.Unimplemented, "METHOD_NOT_ALLOWED", "this address takes GET, HEAD")})
		return
	}
	w.Header().Set("Content-Type", jsonType)
	if g.draining.Load() || !g.health.isServing() {
		w.WriteHeader(http.StatusServiceUnavailable)
		io.WriteString(w, "{\"serving\": false}\n")
		return
	}
	io.WriteString(w, "{\"serving\": true}\n")
}

package main

import (
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"

	"onecode/clients/go/access"
)

// A check and a translation change nothing that counts. Streams are resumed by this program, because gRPC repeats a
// stream from its start, and only as long as nothing was answered.
var repeated = []string{"BatchVerify", "Translate"}

// A server that is back is found within a second or so; gRPC's own pauses grow to two minutes.
var reconnecting = grpc.ConnectParams{
	Backoff:           backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 2, Jitter: 0.2, MaxDelay: time.Second},
	MinConnectTimeout: 5 * time.Second,
}

func dial(opts options) (*grpc.ClientConn, error) {
	channel, err := access.Dial(opts.access, repeated, grpc.WithConnectParams(reconnecting))
	if err != nil {
		return nil, usageError{err}
	}
	return channel, nil
}

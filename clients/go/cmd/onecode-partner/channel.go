package main

import (
	"google.golang.org/grpc"

	"onecode/clients/go/access"
)

// A check and a translation change nothing that counts. Streams are resumed by this program, because gRPC repeats a
// stream from its start, and only as long as nothing was answered.
var repeated = []string{"BatchVerify", "Translate"}

func dial(opts options) (*grpc.ClientConn, error) {
	channel, err := access.Dial(opts.access, repeated, access.Reconnecting)
	if err != nil {
		return nil, usageError{err}
	}
	return channel, nil
}

package access

import (
	"fmt"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/keepalive"
)

// The server drops a channel that pings more often than every 10 s. It allows pings between calls, where a
// slow standard input may leave the channel silent for long.
var pings = keepalive.ClientParameters{
	Time:                30 * time.Second,
	Timeout:             10 * time.Second,
	PermitWithoutStream: true,
}

// Reconnecting has a server that is back found within a second or so; gRPC's own pauses grow to two minutes. It is for
// programs that last longer than a few calls.
var Reconnecting = grpc.WithConnectParams(grpc.ConnectParams{
	Backoff:           backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 2, Jitter: 0.2, MaxDelay: time.Second},
	MinConnectTimeout: 5 * time.Second,
})

// UNAVAILABLE passes by itself, and so does CANCELLED, which a call comes to that arrives just as a server drains. The
// call's deadline bounds all attempts together.
const retries = `{
  "methodConfig": [{
    "name": [%s],
    "retryPolicy": {
      "maxAttempts": 4,
      "initialBackoff": "0.1s",
      "maxBackoff": "1s",
      "backoffMultiplier": 2,
      "retryableStatusCodes": ["UNAVAILABLE", "CANCELLED"]
    }
  }]
}`

func serviceConfig(repeated []string) string {
	names := make([]string, len(repeated))
	for i, method := range repeated {
		names[i] = fmt.Sprintf(`{"service": "onecode.v1.RecognitionService", "method": %q}`, method)
	}
	return fmt.Sprintf(retries, strings.Join(names, ", "))
}

// Dial makes a channel. Methods of the recognition service are repeated where it is safe: those that are named. It
// connects with the first call; an error is about the files or the address.
func Dial(opts Options, repeated []string, more ...grpc.DialOption) (*grpc.ClientConn, error) {
	creds, err := transport(opts.TLS)
	if err != nil {
		return nil, err
	}
	how := []grpc.DialOption{
		grpc.WithTransportCredentials(creds),
		grpc.WithDisableServiceConfig(),
		grpc.WithDefaultServiceConfig(serviceConfig(repeated)),
		grpc.WithKeepaliveParams(pings),
	}
	if local, err := isLoopback(opts.Server); err == nil && local {
		// Loopback means this machine: neither a proxy nor a name server has a say in the channel.
		how = append(how, grpc.WithNoProxy())
	}
	if opts.Token != "" {
		bearer, err := newToken(opts.Token, opts.TLS.given())
		if err != nil {
			return nil, err
		}
		how = append(how, grpc.WithPerRPCCredentials(bearer))
	}
	return grpc.NewClient(opts.Server, append(how, more...)...)
}

package access

import (
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"
)

// The server drops a channel that pings more often than every 10 s. It allows pings between calls, where a
// slow standard input may leave the channel silent for long.
var pings = keepalive.ClientParameters{
	Time:                30 * time.Second,
	Timeout:             10 * time.Second,
	PermitWithoutStream: true,
}

// Dial makes a channel whose calls are retried as the service config says. It connects with the first call; an error
// is about the files or the address.
func Dial(opts Options, serviceConfig string, more ...grpc.DialOption) (*grpc.ClientConn, error) {
	creds, err := transport(opts.TLS)
	if err != nil {
		return nil, err
	}
	how := []grpc.DialOption{
		grpc.WithTransportCredentials(creds),
		grpc.WithDisableServiceConfig(),
		grpc.WithDefaultServiceConfig(serviceConfig),
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

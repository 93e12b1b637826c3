package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"time"

	"golang.org/x/net/netutil"
)

const (
	// Some 10 KiB each while idle; callers beyond wait in the system's queue until one ends.
	connectionsMax = 1024
	// A token has 8 KiB at most; the rest is what clients add by themselves.
	headerBytesMax = 16 << 10
	// Headers are one packet or two: a caller that takes longer holds a connection for nothing.
	headerFor = 5 * time.Second
	// Headers and the largest body, at 3 Mbit/s.
	requestFor = 20 * time.Second
	// The largest answer, at the same rate, once the call has ended.
	answerFor = 20 * time.Second
	// As long as a connection may wait for its next request.
	idleFor = time.Minute
	// A request that came at the last moment and the longest default call; orchestrators kill after 30 s.
	drainFor = 25 * time.Second
)

// secured puts TLS and the bound on connections around a listener, which it closes where it fails.
func secured(opts options, listener net.Listener) (scheme string, _ net.Listener, err error) {
	bounded := netutil.LimitListener(listener, connectionsMax)
	if !opts.speaksTLS() {
		return "http", bounded, nil
	}
	config, err := opts.listenTLS.Listening()
	if err != nil {
		listener.Close()
		return "", nil, err
	}
	return "https", tls.NewListener(bounded, config), nil
}

// serve answers until the context ends, and then what was asked before. An error is about requests that were cut off,
// or about the listener.
func (g *gateway) serve(ctx context.Context, listener net.Listener) error {
	// HTTP/1.1 alone: HTTP/2 would bring streams, resets and tables of headers to bound, and who has it can speak gRPC.
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	server := &http.Server{
		Handler:           g,
		Protocols:         protocols,
		MaxHeaderBytes:    headerBytesMax,
		ReadHeaderTimeout: headerFor,
		ReadTimeout:       g.opts.requestFor,
		WriteTimeout:      g.opts.requestFor + g.opts.timeout + answerFor,
		IdleTimeout:       idleFor,
		ErrorLog:          log.New(g.log, "", 0),
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	g.draining.Store(true)
	draining, cancel := context.WithTimeout(context.Background(), drainFor)
	defer cancel()
	if err := server.Shutdown(draining); err != nil {
		server.Close()
		if errors.Is(err, context.DeadlineExceeded) {
			err = fmt.Errorf("requests were cut off that had no answer after %v", drainFor)
		}
		return err
	}
	return nil
}

package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestABodyOf6MiBIsTheLast(t *testing.T) {
	service := &canned{}
	gate := begin(t, service)
	code := strings.Repeat("A", (bodyBytesMax-len(`{"code":""}`))/4*4)
	longest := `{"code":"` + code + `"}`
	longest += strings.Repeat(" ", bodyBytesMax-len(longest))
	if got := gate.ask(t, "POST", verifyPath, jsonType, longest); got.code != 200 {
		t.Errorf("got %d, %s", got.code, got.body)
	}
	longer := longest + " "
	for name, body := range map[string]io.Reader{"told": strings.NewReader(longer), "in chunks": io.MultiReader(strings.NewReader(longer))} {
		request, _ := http.NewRequest("POST", gate.url+verifyPath, body)
		request.Header.Set("Content-Type", jsonType)
		// Without it, the client goes on sending to a connection that is closed, and may see that instead of the answer.
		request.Header.Set("Expect", "100-continue")
		if got := do(t, request); got.code != 413 || got.reason != "BODY_TOO_LARGE" {
			t.Errorf("%s: got %d, %s", name, got.code, got.body)
		}
	}
}

func TestRequestsBeyondTheBoundsAreToldToComeAgain(t *testing.T) {
	service := &canned{}
	gate := begin(t, service)
	large := `{"code":"` + strings.Repeat("A", smallBodyBytes) + `"}`
	for range largeBodiesMax {
		gate.bodies.take()
	}
	if got := gate.ask(t, "POST", verifyPath, jsonType, large); got.code != 429 || got.reason != "GATEWAY_BUSY" || got.header.Get("Retry-After") != "1" {
		t.Errorf("a large body: got %d, %s", got.code, got.body)
	}
	if got := gate.ask(t, "POST", verifyPath, jsonType, "{}"); got.code != 200 {
		t.Errorf("a small one beside them: got %d, %s", got.code, got.body)
	}
	gate.bodies.give()
	for range 3 {
		if got := gate.ask(t, "POST", verifyPath, jsonType, large); got.code != 200 {
			t.Errorf("one that has a slot: got %d, %s", got.code, got.body)
		}
	}
	for range callsMax {
		gate.calls.take()
	}
	if got := gate.ask(t, "POST", verifyPath, jsonType, "{}"); got.code != 429 || got.reason != "GATEWAY_BUSY" {
		t.Errorf("a call: got %d, %s", got.code, got.body)
	}
	gate.calls.give()
	for range 3 {
		if got := gate.ask(t, "POST", verifyPath, jsonType, large); got.code != 200 {
			t.Errorf("one that has a slot: got %d, %s", got.code, got.body)
		}
	}
	if len(gate.bodies) != largeBodiesMax-1 || len(gate.calls) != callsMax-1 {
		t.Errorf("%d and %d slots are taken", len(gate.bodies), len(gate.calls))
	}
}

func TestACallerThatIsStillSendingSeesWhyItIsRefused(t *testing.T) {
	gate := begin(t, &canned{})
	for range largeBodiesMax {
		gate.bodies.take()
	}
	address, _ := gate.served(t)
	for kind, want := range map[string]int{jsonType: 429, linesType: 415} {
		connection, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		connection.SetDeadline(time.Now().Add(time.Minute))
		head := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n", verifyPath, kind, bodyBytesMax)
		if _, err := io.WriteString(connection, head+strings.Repeat(" ", bodyBytesMax)); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
		response, err := http.ReadResponse(bufio.NewReader(connection), nil)
		if err != nil || response.StatusCode != want {
			t.Errorf("%s: got %v and %v, want %d", kind, response, err, want)
		}
		connection.Close()
	}
}

// served runs the gateway on a listener of its own, with its own bounds on connections, until the test ends.
func (f front) served(t *testing.T) (address string, end func() error) {
	listener := listen(t)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- f.serve(ctx, listener) }()
	t.Cleanup(cancel)
	return listener.Addr().String(), func() error { cancel(); return <-ended }
}

// say writes to a new connection, and gives the status of the answer and the connection.
func say(t *testing.T, address, text string) (int, net.Conn) {
	connection, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { connection.Close() })
	connection.SetDeadline(time.Now().Add(time.Minute))
	io.WriteString(connection, text)
	response, err := http.ReadResponse(bufio.NewReader(connection), nil)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, connection
}

func TestSlowBodiesAndFloodsOfHeadersEnd(t *testing.T) {
	gate := begin(t, &canned{})
	gate.opts.requestFor = 300 * time.Millisecond
	address, end := gate.served(t)
	head := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n", verifyPath)
	for name, test := range map[string]struct {
		text string
		want int
	}{
		"a body that stops":       {head + "Content-Length: 100\r\n\r\n{", 408},
		"chunks that stop":        {head + "Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n", 408},
		"broken chunks":           {head + "Transfer-Encoding: chunked\r\n\r\nzz\r\n{\r\n", 400},
		"two lengths":             {head + "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", 400},
		"length and chunks":       {head + "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", 200},
		"many headers":            {head + strings.Repeat("X: y\r\n", 10_000) + "\r\n", 431},
		"a long header":           {head + "X: " + strings.Repeat("y", 40_000) + "\r\n\r\n", 431},
		"a long address":          {"GET /" + strings.Repeat("y", 40_000) + " HTTP/1.1\r\nHost: localhost\r\n\r\n", 431},
		"no host":                 {"GET /healthz HTTP/1.1\r\n\r\n", 400},
		"a percent that is none":  {"GET /v1/%zz HTTP/1.1\r\nHost: localhost\r\n\r\n", 400},
		"another address in full": {"GET http://elsewhere.example/healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", 421},
		"HTTP/2 without TLS":      {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 421},
	} {
		t.Run(name, func(t *testing.T) {
			if got, _ := say(t, address, test.text); got != test.want {
				t.Errorf("got %d, want %d", got, test.want)
			}
		})
	}
	if err := end(); err != nil {
		t.Error(err)
	}
}

func TestADrainAnswersWhatWasAskedAndTakesNoMore(t *testing.T) {
	service := &canned{silent: true}
	gate := begin(t, service, "--timeout", "1")
	address, end := gate.served(t)
	asked, answered := make(chan struct{}), make(chan int)
	go func() {
		close(asked)
		code, _ := say(t, address, fmt.Sprintf("POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}", verifyPath))
		answered <- code
	}()
	<-asked
	for len(gate.calls) == 0 {
		time.Sleep(time.Millisecond)
	}
	if err := end(); err != nil {
		t.Error(err)
	}
	if code := <-answered; code != 504 {
		t.Errorf("got %d", code)
	}
	if connection, err := net.Dial("tcp", address); err == nil {
		connection.Close()
		t.Error("a new connection was taken")
	}
	if got := gate.ask(t, "GET", "/healthz", "", ""); got.code != 503 {
		t.Errorf("the probe of a gateway that drains: got %d", got.code)
	}
}

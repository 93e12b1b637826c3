package main

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// What gRPC itself adds to each call.
var own = []string{":authority", "content-type", "grpc-accept-encoding", "user-agent", "grpc-timeout", "grpc-previous-rpc-attempts"}

func TestNoHeaderButTwoReachesTheServer(t *testing.T) {
	service := &canned{}
	gate := begin(t, service)
	headers := []string{
		"Authorization", "Bearer a.b.c", "Traceparent", "00-1-2-01", "Cookie", "a=b", "User-Agent", "me", "Accept", "*/*",
		"Grpc-Metadata-X-Onecode-Token", "x", "Grpc-Metadata-X-Onecode-Peer", "ipv4:127.0.0.1:1", "X-Onecode-Peer", "x",
		"Grpc-Metadata-X-Onecode-Certificate-Bin", "eA==", "Grpc-Metadata-Authorization", "Bearer stolen",
		"Grpcgateway-Authorization", "Bearer stolen", "Grpc-Timeout", "1S", "X-Forwarded-For", "127.0.0.1",
		"X-Forwarded-Host", "a", "Forwarded", "for=127.0.0.1", "X-HTTP-Method-Override", "GET", "Te", "trailers",
	}
	for path, body := range map[string][2]string{verifyPath: {jsonType, "{}"}, publishPath: {linesType, `{"sequence":1}`}} {
		service.sent = nil
		if got := gate.ask(t, "POST", path, body[0], body[1], headers...); got.code != 200 {
			t.Fatalf("got %d, %s", got.code, got.body)
		}
		for key, values := range service.sent[0] {
			switch {
			case key == "authorization" && reflect.DeepEqual(values, []string{"Bearer a.b.c"}):
			case key == "traceparent" && reflect.DeepEqual(values, []string{"00-1-2-01"}):
			case slices.Contains(own, key) && !slices.Contains(values, "me"):
			default:
				t.Errorf("%s: %s came through as %q", path, key, values)
			}
		}
	}
}

func TestTwoAuthorizationsArePassedOnSoThatTheServerRefusesSeveral(t *testing.T) {
	service := &canned{}
	headers := []string{"Authorization", "Bearer a", "Authorization", "Bearer b"}
	for range 300 {
		headers = append(headers, "Authorization", "x")
	}
	begin(t, service).ask(t, "POST", verifyPath, jsonType, "{}", headers...)
	if got := service.sent[0].Get("authorization"); !reflect.DeepEqual(got, []string{"Bearer a", "Bearer b"}) {
		t.Errorf("got %q", got)
	}
}

func TestAnAuthorizationThatCannotBePassedOnIsNotLeftOut(t *testing.T) {
	service := &canned{}
	gate, half := begin(t, service), "Bearer "+strings.Repeat("x", 4096)
	for _, headers := range [][]string{
		{"Authorization", "Bearer \xff"}, {"Authorization", half + half}, {"Authorization", half, "Authorization", half},
	} {
		got := gate.ask(t, "POST", verifyPath, jsonType, "{}", headers...)
		if got.code != 401 || got.reason != "AUTHORIZATION_UNREADABLE" || got.header.Get("WWW-Authenticate") != "Bearer" || len(service.sent) > 0 {
			t.Errorf("got %d, %s, %v", got.code, got.body, got.header)
		}
	}
}

func TestATraceparentThatIsNoneIsLeftOut(t *testing.T) {
	service := &canned{}
	gate := begin(t, service)
	for _, headers := range [][]string{
		{"Traceparent", strings.Repeat("0", 10_000)}, {"Traceparent", "\xff"}, {"Traceparent", "a", "Traceparent", "b"},
	} {
		if got := gate.ask(t, "POST", verifyPath, jsonType, "{}", headers...); got.code != 200 {
			t.Errorf("got %d, %s", got.code, got.body)
		}
	}
	for _, sent := range service.sent {
		if got := sent.Get("traceparent"); len(got) > 0 {
			t.Errorf("got %q", got)
		}
	}
}

func TestAGatewayWithATokenOfItsOwnSendsItAndTakesNone(t *testing.T) {
	service, file := &canned{}, filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("own.to.ken\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	gate := begin(t, service, "--token-file", file)
	if got := gate.ask(t, "POST", verifyPath, jsonType, "{}"); got.code != 200 {
		t.Errorf("got %d, %s", got.code, got.body)
	}
	if got := service.sent[0].Get("authorization"); !reflect.DeepEqual(got, []string{"Bearer own.to.ken"}) {
		t.Errorf("got %q", got)
	}
	got := gate.ask(t, "POST", verifyPath, jsonType, "{}", "Authorization", "Bearer a.b.c")
	if got.code != 401 || got.reason != "AUTHORIZATION_NOT_TAKEN" || len(service.sent) > 1 {
		t.Errorf("got %d, %s", got.code, got.body)
	}
}

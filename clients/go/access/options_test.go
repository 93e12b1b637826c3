package access

import "testing"

func TestLoopbackRule(t *testing.T) {
	for server, allowed := range map[string]bool{
		"127.0.0.1:50051":          true,
		"127.8.9.10:50051":         true,
		"[::1]:50051":              true,
		"[::ffff:127.0.0.1]:50051": true,
		"localhost:50051":          true,
		"0.0.0.0:50051":            false,
		"[::]:50051":               false,
		"10.0.0.1:50051":           false,
		"[2001:db8::1]:50051":      false,
		"onecode.example:50051":    false,
		"localhost.example:50051":  false,
		"127.0.0.1.example:50051":  false,
		"dns:///127.0.0.1:50051":   false,
		"unix:/run/onecode.sock":   false,
		"127.0.0.1":                false,
		"127.0.0.1:":               false,
		"127.0.0.1:0":              false,
		"127.0.0.1:65536":          false,
		"127.0.0.1:grpc":           false,
		":50051":                   false,
		"::1:50051":                false,
	} {
		if local, err := isLoopback(server); (local && err == nil) != allowed {
			t.Errorf("%s: got %t and %v, want %t", server, local, err, allowed)
		}
	}
}

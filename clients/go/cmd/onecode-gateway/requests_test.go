package main

import (
	"net/http"
	"strings"
	"testing"
)

const verifyPath = "/v1/codes:verify"

func TestRequestsThatTheServerNeverSees(t *testing.T) {
	service := &canned{}
	gate := begin(t, service)
	secret := strings.Repeat("c2VjcmV0.", 1000)
	for name, test := range map[string]struct {
		method, path, kind, body string
		code                     int
		reason, message          string
	}{
		"no JSON":                 {"POST", verifyPath, jsonType, "<xml>", 400, "REQUEST_UNREADABLE", "line 1, column 1: "},
		"no body":                 {"POST", verifyPath, jsonType, " \n", 400, "REQUEST_UNREADABLE", "the body is empty"},
		"an array":                {"POST", verifyPath, jsonType, "[]", 400, "REQUEST_UNREADABLE", "not the JSON of the request"},
		"half an object":          {"POST", verifyPath, jsonType, `{"code":"eA=="`, 400, "REQUEST_UNREADABLE", "before it is complete"},
		"more behind it":          {"POST", verifyPath, jsonType, `{} {}`, 400, "REQUEST_UNREADABLE", "line 1, column 4: "},
		"an unknown member":       {"POST", verifyPath, jsonType, `{"cod":"eA=="}`, 400, "REQUEST_UNREADABLE", `no member "cod"`},
		"a member twice":          {"POST", verifyPath, jsonType, `{"host_region":"1","hostRegion":"2"}`, 400, "REQUEST_UNREADABLE", `"hostRegion" is given twice`},
		"two of a choice":         {"POST", "/v1/statuses:get", jsonType, `{"subject":{"code":"eA==","pseudonym":"eA=="}}`, 400, "REQUEST_UNREADABLE", `"pseudonym" is the second`},
		"no base64":               {"POST", verifyPath, jsonType, `{"code":"` + secret + `"}`, 400, "REQUEST_UNREADABLE", "code must be base64"},
		"a number for text":       {"POST", verifyPath, jsonType, `{"host_region":420000}`, 400, "REQUEST_UNREADABLE", "hostRegion is not of the kind string"},
		"no UTF-8":                {"POST", verifyPath, jsonType, "{\"host_region\":\"\xff\"}", 400, "REQUEST_UNREADABLE", "not UTF-8"},
		"no time":                 {"POST", "/v1/exceptions", jsonType, `{"effective_from":"soon"}`, 400, "REQUEST_UNREADABLE", "RFC 3339"},
		"nested for ever":         {"POST", verifyPath, jsonType, `{"code":` + strings.Repeat("[", 1<<20), 400, "REQUEST_UNREADABLE", "code must be base64"},
		"the id twice":            {"POST", "/v1/exceptions/RE-1:withdraw", jsonType, `{"id":"RE-2"}`, 400, "REQUEST_UNREADABLE", "in the address alone"},
		"no type":                 {"POST", verifyPath, "", "{}", 415, "CONTENT_TYPE", "application/json"},
		"another type":            {"POST", verifyPath, "text/plain", "{}", 415, "CONTENT_TYPE", "application/json"},
		"a form":                  {"POST", "/v1/exceptions", "application/x-www-form-urlencoded", "page_size=1", 415, "CONTENT_TYPE", "application/json"},
		"another charset":         {"POST", verifyPath, jsonType + "; charset=gb18030", "{}", 415, "CONTENT_TYPE", "application/json"},
		"JSON for lines":          {"POST", publishPath, jsonType, "{}", 415, "CONTENT_TYPE", "application/x-ndjson"},
		"lines for JSON":          {"POST", verifyPath, linesType, "{}", 415, "CONTENT_TYPE", "application/json"},
		"a code in the address":   {"POST", verifyPath + "?code=eA==", jsonType, "{}", 400, "QUERY_NOT_TAKEN", "members of the body"},
		"a body of GET":           {"GET", "/v1/trustList", jsonType, "{}", 400, "BODY_NOT_TAKEN", "GET takes no body"},
		"an unknown parameter":    {"GET", "/v1/exceptions?hostregion=420000", "", "", 400, "REQUEST_UNREADABLE", `no parameter "hostregion"`},
		"a parameter twice":       {"GET", "/v1/exceptions?page_size=1&page_size=2", "", "", 400, "REQUEST_UNREADABLE", "page_size is given 2 times"},
		"a parameter of no kind":  {"GET", "/v1/exceptions?page_size=many", "", "", 400, "REQUEST_UNREADABLE", "page_size is not of the kind int32"},
		"a parameter half-coded":  {"GET", "/v1/exceptions?host_region=%4", "", "", 400, "REQUEST_UNREADABLE", "invalid URL escape"},
		"a parameter of no text":  {"GET", "/v1/exceptions?page_token=%00%ff", "", "", 400, "REQUEST_UNREADABLE", "page_token is not UTF-8"},
		"an id of no text":        {"POST", "/v1/exceptions/%ff:withdraw", jsonType, "{}", 400, "ADDRESS_INVALID", "not UTF-8"},
		"a name like a parameter": {"GET", "/v1/exceptions?state[x]=1", "", "", 400, "REQUEST_UNREADABLE", "no parameter"},
		"an unknown address":      {"POST", "/v1/codes:verifyAll", jsonType, "{}", 404, "ADDRESS_UNKNOWN", "docs/openapi.json"},
		"the stream that is not":  {"POST", "/v1/codes:streamVerify", linesType, "{}", 404, "ADDRESS_UNKNOWN", "docs/openapi.json"},
		"gRPC's own address":      {"POST", "/onecode.v1.RecognitionService/Verify", jsonType, "{}", 404, "ADDRESS_UNKNOWN", "docs/openapi.json"},
		"a verb percent-encoded":  {"POST", "/v1/codes%3Averify", jsonType, "{}", 404, "ADDRESS_UNKNOWN", "docs/openapi.json"},
		"dots":                    {"POST", "/v1/x/../codes:verify", jsonType, "{}", 404, "ADDRESS_UNKNOWN", "docs/openapi.json"},
		"two slashes":             {"POST", "//v1/codes:verify", jsonType, "{}", 404, "ADDRESS_UNKNOWN", "docs/openapi.json"},
		"another method":          {"PUT", verifyPath, jsonType, "{}", 405, "METHOD_NOT_ALLOWED", "POST"},
		"a method of nobody":      {"BREW", "/v1/exceptions", "", "", 405, "METHOD_NOT_ALLOWED", "GET, POST"},
	} {
		t.Run(name, func(t *testing.T) {
			got := gate.ask(t, test.method, test.path, test.kind, test.body)
			if got.code != test.code || got.reason != test.reason || got.domain != domain || !strings.Contains(got.message, test.message) {
				t.Errorf("got %d, %s", got.code, got.body)
			}
			if strings.Count(got.body, "\n") != 1 || len(got.message) > messageBytesMax || strings.Contains(got.message, "secret") || strings.Contains(got.message, "c2Vj") {
				t.Errorf("not one short line without a value: %s", got.body)
			}
			if got.header.Get("Content-Type") != jsonType || got.header.Get("Cache-Control") != "no-store" {
				t.Errorf("got %v", got.header)
			}
		})
	}
	if len(service.sent) > 0 || gate.log.Len() > 0 {
		t.Errorf("%d requests came through; the log says %q", len(service.sent), gate.log)
	}
}

func TestMethodsOfAnAddressAreAllowed(t *testing.T) {
	gate := begin(t, &canned{})
	for path, want := range map[string]string{
		"/v1/exceptions": "GET, POST", verifyPath: "POST", "/v1/trustList": "GET", publishPath: "POST", "/healthz": "GET, HEAD",
		"/v1/exceptions/RE-1:withdraw": "POST",
	} {
		if got := gate.ask(t, http.MethodDelete, path, "", ""); got.code != 405 || got.header.Get("Allow") != want {
			t.Errorf("%s: got %d and %q, want %q", path, got.code, got.header.Get("Allow"), want)
		}
	}
}

func TestCompressedBodiesAreRefused(t *testing.T) {
	got := begin(t, &canned{}).ask(t, "POST", verifyPath, jsonType, "{}", "Content-Encoding", "gzip")
	if got.code != 415 || got.reason != "CONTENT_ENCODING" {
		t.Errorf("got %d, %s", got.code, got.body)
	}
}

func TestBothSpellingsOfAMemberAndBothAlphabetsOfBase64AreRead(t *testing.T) {
	service := &canned{}
	gate := begin(t, service)
	for _, body := range []string{
		`{"code":"+/8=","host_region":"420000"}`, `{"code":"-_8","hostRegion":"420000"}`, "\n{\"code\" : \"-_8=\",\r\n\"host_region\":\"420000\"}\n",
	} {
		if got := gate.ask(t, "POST", verifyPath, jsonType+"; charset=UTF-8", body); got.code != 200 {
			t.Fatalf("%s: got %d, %s", body, got.code, got.body)
		}
	}
	for _, request := range service.verified {
		if string(request.GetCode()) != "\xfb\xff" || request.GetHostRegion() != "420000" {
			t.Errorf("got %v", request)
		}
	}
}

func TestAnswersHaveTheNamesOfTheProtosAndEmptyMembers(t *testing.T) {
	got := begin(t, &canned{}).ask(t, "POST", verifyPath, jsonType, "{}").body
	for _, part := range []string{`"home_region":""`, `"exception_id":""`, `"status_age_s":0`, `"trust_list_version":"0"`, `"DECISION_ADMIT"`} {
		if !strings.Contains(strings.ReplaceAll(got, ": ", ":"), part) {
			t.Errorf("%s is not in %s", part, got)
		}
	}
}

func TestNamesThatAreNotThisMachinesAreRefusedWhereOnlyItCanCall(t *testing.T) {
	service := &canned{}
	gate := begin(t, service)
	for host, want := range map[string]int{
		"127.0.0.1": 200, "127.0.0.1:8080": 200, "localhost": 200, "localhost:1": 200, "[::1]": 200, "[::1]:8080": 200,
		"rebound.example": 421, "127.0.0.1.example:8080": 421, "10.0.0.1": 421, "localhost.example": 421,
	} {
		request, _ := http.NewRequest("POST", gate.url+verifyPath, strings.NewReader("{}"))
		request.Header.Set("Content-Type", jsonType)
		request.Host = host
		if got := do(t, request); got.code != want {
			t.Errorf("%s: got %d, want %d", host, got.code, want)
		}
	}
	for _, change := range []func(){
		func() { gate.opts.listen = "0.0.0.0:8080" },
		func() { gate.opts.listen, gate.opts.listenTLS.Cert = "127.0.0.1:8080", "gate.crt" },
	} {
		change()
		request, _ := http.NewRequest("POST", gate.url+verifyPath, strings.NewReader("{}"))
		request.Header.Set("Content-Type", jsonType)
		request.Host = "gate.example"
		if got := do(t, request); got.code != 200 {
			t.Errorf("%v: got %d", gate.opts, got.code)
		}
	}
}

package main

import (
	"testing"

	grpccodes "google.golang.org/grpc/codes"
)

func TestTranslatePrintsTheCodeOrTheVerdict(t *testing.T) {
	for name, test := range map[string]struct {
		args   []string
		stdin  string
		code   int
		stdout string
	}{
		"a code":             {[]string{"green"}, "", exitAnswered, "translated<&>\n"},
		"standard input":     {[]string{"-"}, "green\r\n", exitAnswered, "translated<&>\n"},
		"not translated":     {[]string{"forged"}, "", exitFailed, "1" + forgeRest},
		"JSON":               {[]string{"--json", "green"}, "", exitAnswered, `{"code":"translated<&>","verdict":{"line":1,"decision":"DECISION_ADMIT","level":"LEVEL_GREEN","reason":"REASON_GREEN","home_region":"310000","status":"STATUS_CURRENT"}}` + "\n"},
		"two lines of input": {[]string{"-"}, "green\ngreen\n", exitUsage, ""},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := ask(t, &canned{}, test.stdin, append([]string{"translate", "--target", "420000"}, test.args...)...)
			if code != test.code || stdout != test.stdout || (stderr != "") != (code == exitUsage) {
				t.Errorf("got exit %d, %q, %q; want %d, %q", code, stdout, stderr, test.code, test.stdout)
			}
		})
	}
}

func TestTranslationThatCannotBeIsOneLine(t *testing.T) {
	service := &canned{fails: []error{refuse(grpccodes.FailedPrecondition, "translated already", "ALREADY_TRANSLATED", nil)}}
	code, stdout, stderr := ask(t, service, "", "translate", "--target", "420000", "green")
	if code != exitFailed || stdout != "" || stderr != "onecode-partner: FAILED_PRECONDITION: translated already (ALREADY_TRANSLATED)\n" {
		t.Errorf("got exit %d, %q, %q", code, stdout, stderr)
	}
}

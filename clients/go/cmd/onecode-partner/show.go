package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"

	"onecode/clients/go/answers"
	onecodev1 "onecode/clients/go/onecode/v1"
)

// verdictLine leaves the code out: it speaks of a person, and a terminal or a log is no place for it.
func (t task) verdictLine(number uint64, v *onecodev1.Verdict) []byte {
	if t.json {
		return jsonLine(shown(number, v))
	}
	return fmt.Appendf(nil, "%d\t%s\t%s\t%s\t%s\t%s\n", number,
		// A dash for no region, so that a line has six fields whatever the verdict.
		answers.Short(v.GetDecision()), answers.Short(v.GetLevel()), answers.Short(v.GetReason()),
		cmp.Or(v.GetHomeRegion(), "-"), answers.Short(v.GetStatus()))
}

// shownVerdict has the members of a verdict's line, by the proto's names.
type shownVerdict struct {
	Line       uint64 `json:"line"`
	Decision   string `json:"decision"`
	Level      string `json:"level"`
	Reason     string `json:"reason"`
	HomeRegion string `json:"home_region"`
	Status     string `json:"status"`
}

func shown(number uint64, v *onecodev1.Verdict) shownVerdict {
	return shownVerdict{number, v.GetDecision().String(), v.GetLevel().String(), v.GetReason().String(),
		v.GetHomeRegion(), v.GetStatus().String()}
}

// jsonLine writes an object whose members are text and numbers, which cannot fail.
func jsonLine(object any) []byte {
	var line bytes.Buffer
	encoder := json.NewEncoder(&line)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(object); err != nil {
		panic(err)
	}
	return line.Bytes()
}

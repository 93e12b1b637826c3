package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"

	"google.golang.org/protobuf/encoding/protojson"

	"onecode/clients/go/answers"
	onecodev1 "onecode/clients/go/onecode/v1"
)

var wholeVerdict = protojson.MarshalOptions{UseProtoNames: true, EmitUnpopulated: true}

// showTable leaves the codes out: they speak of people, and a terminal or a log is no place for them.
func showTable(w io.Writer, verdicts []*onecodev1.Verdict) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, v := range verdicts {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n",
			// A dash for no region, so that a line has five fields to split whatever the verdict.
			answers.Short(v.GetDecision()), answers.Short(v.GetLevel()), answers.Short(v.GetReason()), cmp.Or(v.GetHomeRegion(), "-"), answers.Short(v.GetStatus()))
	}
	return table.Flush()
}

func showJSON(w io.Writer, verdicts []*onecodev1.Verdict) error {
	var out bytes.Buffer
	for _, v := range verdicts {
		text, err := wholeVerdict.Marshal(v)
		if err != nil {
			return err
		}
		// protojson spaces its output differently from one build to the next, on purpose.
		if err := json.Compact(&out, text); err != nil {
			return err
		}
		out.WriteByte('\n')
	}
	_, err := out.WriteTo(w)
	return err
}

package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	rpccode "google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"

	onecodev1 "onecode/clients/go/onecode/v1"
)

var wholeVerdict = protojson.MarshalOptions{UseProtoNames: true, EmitUnpopulated: true}

// showTable leaves the codes out: they speak of people, and a terminal or a log is no place for them.
func showTable(w io.Writer, verdicts []*onecodev1.Verdict) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, v := range verdicts {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n",
			// A dash for no region, so that a line has five fields to split whatever the verdict.
			short(v.GetDecision()), short(v.GetLevel()), short(v.GetReason()), cmp.Or(v.GetHomeRegion(), "-"), short(v.GetStatus()))
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

// short takes the enum's own prefix off a value's name. A value newer than these stubs stays a number.
func short(value interface {
	protoreflect.Enum
	fmt.Stringer
}) string {
	zero := value.Descriptor().Values().ByNumber(0).Name()
	return strings.TrimPrefix(value.String(), strings.TrimSuffix(string(zero), "UNSPECIFIED"))
}

// describe puts an error on one line: for a failed call its gRPC code, its message, and the reason for programs.
func describe(err error) string {
	// Not status.FromError, whose message for the last of several attempts is gRPC's account of them all.
	var call interface{ GRPCStatus() *status.Status }
	if !errors.As(err, &call) {
		return err.Error()
	}
	failure := call.GRPCStatus()
	line := fmt.Sprintf("%v: %s", rpccode.Code(failure.Code()), failure.Message())
	for _, detail := range failure.Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok {
			line += fmt.Sprintf(" (%s)", info.GetReason())
		}
	}
	return line
}

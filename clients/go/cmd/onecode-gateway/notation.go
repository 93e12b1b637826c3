package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// Messages are one line of a terminal or two. Longer names of members are cut.
const (
	messageBytesMax = 240
	nameBytesMax    = 64
)

// The names of members are those of the protos, as in docs/api.md. A member that is empty is there all the same, so that
// a reader need not know what its absence means.
var written = protojson.MarshalOptions{UseProtoNames: true, EmitDefaultValues: true}

// notation is proto3's JSON, read strictly: a member that is unknown or given twice is refused, and so is what follows
// the message.
type notation struct{ runtime.JSONPb }

func newNotation() *notation { return &notation{runtime.JSONPb{MarshalOptions: written}} }

// NewDecoder reads all there is as one message.
func (n *notation) NewDecoder(body io.Reader) runtime.Decoder {
	return runtime.DecoderFunc(func(into any) error {
		content, err := io.ReadAll(body)
		if err != nil {
			return err
		}
		message, ok := into.(proto.Message)
		if !ok {
			return fmt.Errorf("%T is no message", into)
		}
		return read(content, message)
	})
}

// read decodes a message. The error says in one line what is wrong, without any value of the message.
func read(content []byte, into proto.Message) error {
	if len(bytes.TrimSpace(content)) == 0 {
		return errors.New("the body is empty: it must be a JSON object, such as {}")
	}
	if err := protojson.Unmarshal(content, into); err != nil {
		return errors.New(explain(err))
	}
	if named, ok := into.(interface{ GetId() string }); ok && named.GetId() != "" {
		// The one in the address would win without a word.
		return errors.New("the body has an id: it stands in the address alone")
	}
	return nil
}

// protojson's errors end with the value that is wrong, which may be megabytes, and is somebody's.
var (
	position    = regexp.MustCompile(`\(line (\d+):(\d+)\)`)
	unknown     = regexp.MustCompile(`unknown field ("(?:[^"\\]|\\.)*")`)
	twice       = regexp.MustCompile(`duplicate field ("(?:[^"\\]|\\.)*")`)
	oneof       = regexp.MustCompile(`error parsing ("(?:[^"\\]|\\.)*"), oneof \S+ is already set`)
	wrongValue  = regexp.MustCompile(`invalid value for (\w+) field (\w+):`)
	wrongTime   = regexp.MustCompile(`(?:invalid google\.protobuf\.Timestamp value|google\.protobuf\.Timestamp value out of range)`)
	notUnicode  = regexp.MustCompile(`invalid UTF-8`)
	nestedDeep  = regexp.MustCompile(`exceeded max recursion depth`)
	endsEarlier = regexp.MustCompile(`unexpected EOF`)
)

func explain(fault error) string {
	// protojson puts one of two spaces behind its name, so that nobody relies on its text. Its value is left out first.
	text := strings.ReplaceAll(cut(fault.Error(), 2*messageBytesMax), "\u00a0", " ")
	where := ""
	if found := position.FindStringSubmatch(text); found != nil {
		where = fmt.Sprintf("line %s, column %s: ", found[1], found[2])
	}
	return where + cause(text)
}

func cause(text string) string {
	if found := unknown.FindStringSubmatch(text); found != nil {
		return fmt.Sprintf("the message has no member %s", cut(found[1], nameBytesMax))
	}
	if found := twice.FindStringSubmatch(text); found != nil {
		return fmt.Sprintf("the member %s is given twice", cut(found[1], nameBytesMax))
	}
	if found := oneof.FindStringSubmatch(text); found != nil {
		return fmt.Sprintf("%s is the second of members of which one may be given", cut(found[1], nameBytesMax))
	}
	if found := wrongValue.FindStringSubmatch(text); found != nil {
		if found[1] == "bytes" {
			return fmt.Sprintf("%s must be base64 (RFC 4648) in a string, as of the text of a scanned code", found[2])
		}
		return fmt.Sprintf("the value of %s is not of the kind %s", found[2], found[1])
	}
	switch {
	case wrongTime.MatchString(text):
		return `a time must be as in "2026-11-30T08:00:00Z" (RFC 3339)`
	case notUnicode.MatchString(text):
		return "a string is not UTF-8"
	case nestedDeep.MatchString(text):
		return "arrays or objects are nested too deep"
	case endsEarlier.MatchString(text):
		return "the JSON ends before it is complete"
	}
	return "this is not the JSON of the request"
}

func cut(text string, bytesMax int) string {
	if len(text) <= bytesMax {
		return text
	}
	return strings.ToValidUTF8(text[:bytesMax], "") + "…"
}

// marshalStatus writes google.rpc.Status. Details of a kind that this program does not know are left out.
func marshalStatus(failure *status.Status) []byte {
	content, err := written.Marshal(failure.Proto())
	if err != nil {
		bare := failure.Proto()
		bare.Details = nil
		content, _ = written.Marshal(bare)
	}
	return content
}

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"

	"onecode/clients/go/input"
	onecodev1 "onecode/clients/go/onecode/v1"
)

// A record whose subject is named by the longest code, eleven times over.
const recordBytesMax = 64 << 10

// lineRecord is a record with the number of its line.
type lineRecord struct {
	line   uint64
	record *onecodev1.StatusRecord
	bytes  int
}

// records reads one record a line; blank lines are none. An error names the line.
func (t task) records(file io.Reader) iter.Seq2[lineRecord, error] {
	return func(yield func(lineRecord, error) bool) {
		number := uint64(0)
		for line, err := range input.Lines(file, recordBytesMax) {
			number++
			if err == nil && len(bytes.TrimSpace(line)) == 0 {
				continue
			}
			var record *onecodev1.StatusRecord
			if err != nil {
				err = t.describeInput(err, recordBytesMax)
			} else if record, err = readRecord(line); err != nil {
				err = usageError{fmt.Errorf("%s, line %d: not a StatusRecord (%w)", t.inputName(), number, err)}
			}
			if !yield(lineRecord{number, record, len(line)}, err) || err != nil {
				return
			}
		}
	}
}

// readRecord reads protobuf's JSON mapping by the proto's names; the values of level and scope may leave out their
// prefix.
func readRecord(line []byte) (*onecodev1.StatusRecord, error) {
	members, err := readMembers(line)
	if err != nil {
		return nil, err
	}
	for name, prefix := range map[string]string{"level": "LEVEL_", "scope": "SCOPE_"} {
		var word string
		if json.Unmarshal(members[name], &word) == nil && !strings.HasPrefix(word, prefix) {
			members[name], _ = json.Marshal(prefix + word) // text is always JSON
		}
	}
	whole, err := json.Marshal(members)
	if err != nil {
		return nil, err
	}
	record := new(onecodev1.StatusRecord)
	if err := protojson.Unmarshal(whole, record); err != nil {
		// It quotes what it cannot read, and parts of a record are about a person.
		return nil, errors.New("a member is not of its type")
	}
	return record, nil
}

var recordFields = new(onecodev1.StatusRecord).ProtoReflect().Descriptor().Fields()

// readMembers reads one JSON object. A member that is there twice, or that a record does not have, is a mistake: to
// leave one out could make a record another one.
func readMembers(line []byte) (map[string]json.RawMessage, error) {
	decoder := json.NewDecoder(bytes.NewReader(line))
	if start, err := decoder.Token(); err != nil || start != json.Delim('{') {
		return nil, errors.New("not a JSON object")
	}
	members := map[string]json.RawMessage{}
	for decoder.More() {
		key, err := decoder.Token()
		name, _ := key.(string)
		var value json.RawMessage
		if err != nil || decoder.Decode(&value) != nil {
			return nil, errors.New("not JSON")
		}
		if recordFields.ByName(protoreflect.Name(name)) == nil {
			return nil, fmt.Errorf("unknown member %.40q", name)
		}
		if _, twice := members[name]; twice {
			return nil, fmt.Errorf("%s is there twice", name)
		}
		members[name] = value
	}
	if _, err := decoder.Token(); err != nil {
		return nil, errors.New("not JSON")
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one JSON object")
	}
	return members, nil
}

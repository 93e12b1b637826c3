package main

import (
	"fmt"
	"net/url"
	"unicode/utf8"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"github.com/grpc-ecosystem/grpc-gateway/v2/utilities"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// strictQuery refuses parameters that the mux would pass over: a filter with a wrong name would list everything.
type strictQuery struct{}

// Parse sets the fields of a message. The errors hold no value.
func (strictQuery) Parse(message proto.Message, values url.Values, filter *utilities.DoubleArray) error {
	fields := message.ProtoReflect().Descriptor().Fields()
	for name, given := range values {
		if fields.ByName(protoreflect.Name(name)) == nil {
			return fmt.Errorf("there is no parameter %q", cut(name, nameBytesMax))
		}
		if len(given) != 1 {
			return fmt.Errorf("the parameter %s is given %d times", name, len(given))
		}
		if !utf8.ValidString(given[0]) {
			// gRPC would fail to send it, as if the gateway were at fault.
			return fmt.Errorf("the value of %s is not UTF-8", name)
		}
		if err := new(runtime.DefaultQueryParser).Parse(message, url.Values{name: given}, filter); err != nil {
			return fmt.Errorf("the value of %s is not of the kind %s", name, fields.ByName(protoreflect.Name(name)).Kind())
		}
	}
	return nil
}

// Package answers puts what a onecode server answers into words: values of enums, and errors.
package answers

import (
	"fmt"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// Short takes the enum's own prefix off a value's name. A value newer than these stubs stays a number.
func Short(value interface {
	protoreflect.Enum
	fmt.Stringer
}) string {
	zero := value.Descriptor().Values().ByNumber(0).Name()
	return strings.TrimPrefix(value.String(), strings.TrimSuffix(string(zero), "UNSPECIFIED"))
}

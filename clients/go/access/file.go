package access

import (
	"fmt"
	"io"
	"os"
)

func readBounded(name string, max int64) ([]byte, error) {
	// A pipe would hold the caller up, and has its content once.
	if info, err := os.Stat(name); err != nil {
		return nil, err
	} else if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no regular file", name)
	}
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, max+1))
	if err == nil && int64(len(content)) > max {
		err = fmt.Errorf("%s is larger than %d bytes", name, max)
	}
	return content, err
}

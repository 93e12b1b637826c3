package input

import "iter"

const (
	// What BatchVerify takes at most.
	maxBatchCodes = 4096
	// BatchVerify takes 4 MiB, and so does a gRPC message by default; the margin is for each code's tag and length.
	maxBatchBytes = 4<<20 - 64<<10
)

// Batches cuts codes into what one call may carry. An error comes after the codes before it.
func Batches(codes iter.Seq2[[]byte, error]) iter.Seq2[[][]byte, error] {
	return func(yield func([][]byte, error) bool) {
		var batch [][]byte
		size := 0
		flush := func() bool {
			full := batch
			batch, size = nil, 0
			return len(full) == 0 || yield(full, nil)
		}
		for code, err := range codes {
			if err != nil {
				if flush() {
					yield(nil, err)
				}
				return
			}
			if size+len(code) > maxBatchBytes && !flush() {
				return
			}
			batch = append(batch, code)
			size += len(code)
			if len(batch) == maxBatchCodes && !flush() {
				return
			}
		}
		flush()
	}
}

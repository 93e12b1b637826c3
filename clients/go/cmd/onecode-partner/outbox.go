package main

import (
	"context"
	"iter"
	"slices"
	"sync"
	"time"
)

const (
	// What is sent and not answered. A server reads some hundred codes or 2,000 records ahead; the rest is on its way
	// there and back.
	outboxItemsMax = 4096
	// Their bytes, so that long lines need no more memory than a batch does.
	outboxBytesMax = 4 << 20
)

// item is what one message of a stream is made of. Its number is the line's, and rises.
type item[T any] struct {
	number  uint64
	content T
	bytes   int
	settled bool
}

// outbox reads items ahead and keeps each until it is answered, so that a stream that follows a broken one sends again
// what was not. Its reader waits for no stream, and a stream for no reader that is behind.
type outbox[T any] struct {
	lock    sync.Mutex
	changed *sync.Cond
	// From the oldest that is not answered.
	kept   []item[T]
	bytes  int
	ended  bool
	fault  error
	closed bool
	// Ends the stream where items wait and none is answered for this long.
	timeout time.Duration
	waiting *time.Timer
	late    time.Time
}

// newOutbox starts to read. expired is called once items have waited for the timeout without any answer.
func newOutbox[T any](items iter.Seq2[item[T], error], timeout time.Duration, expired func()) *outbox[T] {
	o := &outbox[T]{timeout: timeout, waiting: time.AfterFunc(timeout, expired)}
	o.waiting.Stop()
	o.changed = sync.NewCond(&o.lock)
	go o.read(items)
	return o
}

func (o *outbox[T]) read(items iter.Seq2[item[T], error]) {
	var fault error
	for one, err := range items {
		if err != nil {
			fault = err
			break
		}
		if !o.add(one) {
			return
		}
	}
	o.lock.Lock()
	defer o.lock.Unlock()
	o.ended, o.fault = true, fault
	o.changed.Broadcast()
}

// add waits for room, and reports false once nobody sends any more.
func (o *outbox[T]) add(one item[T]) bool {
	o.lock.Lock()
	defer o.lock.Unlock()
	isFull := func() bool {
		return len(o.kept) >= outboxItemsMax || len(o.kept) > 0 && o.bytes+one.bytes > outboxBytesMax
	}
	for isFull() && !o.closed {
		o.changed.Wait()
	}
	if o.closed {
		return false
	}
	if len(o.kept) == 0 {
		o.expect()
	}
	o.kept = append(o.kept, one)
	o.bytes += one.bytes
	o.changed.Broadcast()
	return true
}

// expect starts the time for the next answer anew.
func (o *outbox[T]) expect() {
	o.late = time.Now().Add(o.timeout)
	o.waiting.Reset(o.timeout)
}

// after waits for the item that follows a number and is not answered; there is none once all are sent, or where the
// context ends.
func (o *outbox[T]) after(ctx context.Context, number uint64) (next item[T], ok bool) {
	defer context.AfterFunc(ctx, o.wake)()
	o.lock.Lock()
	defer o.lock.Unlock()
	for ctx.Err() == nil {
		for i := o.from(number + 1); i < len(o.kept); i++ {
			if !o.kept[i].settled {
				return o.kept[i], true
			}
		}
		if o.ended {
			break
		}
		o.changed.Wait()
	}
	return next, false
}

// wait reports whether an item is to be answered, once there is one; false where none is left, or the context ends.
func (o *outbox[T]) wait(ctx context.Context) bool {
	_, ok := o.after(ctx, 0)
	return ok
}

// settle notes an answer, and reports whether it was waited for.
func (o *outbox[T]) settle(number uint64) bool {
	o.lock.Lock()
	defer o.lock.Unlock()
	i := o.from(number)
	if i == len(o.kept) || o.kept[i].number != number || o.kept[i].settled {
		return false
	}
	o.kept[i].settled = true
	o.release()
	return true
}

// settleThrough notes an answer to every item up to a number, and gives the count of those that were waited for.
func (o *outbox[T]) settleThrough(number uint64) int {
	o.lock.Lock()
	defer o.lock.Unlock()
	count := o.from(number + 1)
	for i := range o.kept[:count] {
		o.kept[i].settled = true
	}
	o.release()
	return count
}

// from gives the place of the first item with at least this number.
func (o *outbox[T]) from(number uint64) int {
	i, _ := slices.BinarySearchFunc(o.kept, number, func(one item[T], number uint64) int {
		if one.number < number {
			return -1
		}
		return 1
	})
	return i
}

// release drops answered items up to the first that is not, and waits anew for the next answer.
func (o *outbox[T]) release() {
	for len(o.kept) > 0 && o.kept[0].settled {
		o.bytes -= o.kept[0].bytes
		o.kept[0] = item[T]{}
		o.kept = o.kept[1:]
	}
	if len(o.kept) > 0 {
		o.expect()
	} else {
		o.waiting.Stop()
	}
	o.changed.Broadcast()
}

// isWaiting tells whether an item waits for its answer.
func (o *outbox[T]) isWaiting() bool {
	o.lock.Lock()
	defer o.lock.Unlock()
	return len(o.kept) > 0
}

// remaining gives the time that is left for an answer.
func (o *outbox[T]) remaining() time.Duration {
	o.lock.Lock()
	defer o.lock.Unlock()
	return time.Until(o.late)
}

// close ends the reading, except where it waits for its reader.
func (o *outbox[T]) close() {
	o.lock.Lock()
	defer o.lock.Unlock()
	o.closed = true
	o.waiting.Stop()
	o.changed.Broadcast()
}

func (o *outbox[T]) wake() {
	o.lock.Lock()
	defer o.lock.Unlock()
	o.changed.Broadcast()
}

// finish gives the error of reading, once every item before it is answered.
func (o *outbox[T]) finish() error {
	o.lock.Lock()
	defer o.lock.Unlock()
	return o.fault
}

package main

import (
	"context"
	"math/rand/v2"
	"time"

	grpccodes "google.golang.org/grpc/codes"

	"onecode/clients/go/answers"
)

const (
	pauseMin = 100 * time.Millisecond
	pauseMax = time.Second
)

// patience gives the pauses between attempts: they double, with jitter, so that the clients of a server that comes back
// do not all call at the same moment.
type patience struct{ pause time.Duration }

// after tells how long to wait after a failure, and false where waiting does not mend it.
func (p *patience) after(err error) (wait time.Duration, again bool) {
	failure := answers.Status(err)
	if failure == nil {
		return 0, false
	}
	told, isTold := answers.RetryAfter(failure)
	switch code := failure.Code(); {
	case isTold && (code == grpccodes.ResourceExhausted || code == grpccodes.Unavailable):
		// A server that tells no time has none to wait; a short one for all would make a flood of the calls.
		return max(told, p.next()), true
	case code == grpccodes.Unavailable || code == grpccodes.Canceled:
		return p.next(), true
	}
	return 0, false
}

func (p *patience) next() time.Duration {
	p.pause = min(max(2*p.pause, pauseMin), pauseMax)
	return p.pause/2 + rand.N(p.pause/2)
}

// sleep waits, and reports whether it did: not where the context ends before.
func sleep(ctx context.Context, wait time.Duration) bool {
	if end, limited := ctx.Deadline(); limited && time.Until(end) <= wait {
		return false
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// repeat calls until there is an answer, a failure that waiting does not mend, or the end of the context.
func repeat[T any](ctx context.Context, call func(context.Context) (T, error)) (T, error) {
	var waits patience
	var before error
	for {
		answer, err := call(ctx)
		if err == nil {
			return answer, nil
		}
		if ctx.Err() != nil && before != nil {
			// That the time is over says less than why no attempt before has been answered.
			return answer, before
		}
		wait, again := waits.after(err)
		if !again || !sleep(ctx, wait) {
			return answer, err
		}
		before = err
	}
}

package etcd

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"k8s.io/apimachinery/pkg/util/wait"
)

// pace is how changes of the membership wait. Tests make it shorter.
type pace struct {
	first, longest time.Duration // between two tries
	// settle is for what mends itself: elections, restarts, and the five seconds for which etcd wants to see all members connected.
	settle time.Duration
	// stall is how long another machine may go without progress.
	stall time.Duration
}

var usualPace = pace{first: 100 * time.Millisecond, longest: 2 * time.Second, settle: 15 * time.Second, stall: 2 * time.Minute}

// obstacle is why a change can't be made yet.
type obstacle struct {
	// text says what is in the way, mend what to do when it does not go away. Both are shown to people.
	text, mend string
	// state is how far the learner has come that is being waited for. A state that it never had before is progress, and so is being
	// less behind than ever in it. Without a state the obstacle is trouble that should pass by itself: only its end is progress.
	state  string
	behind uint64
	// patience is how long there may be no progress.
	patience time.Duration
	// cause may be nil. errors.Is finds it in what is finally returned.
	cause error
}

func (o *obstacle) Error() string { return o.text }

func (o *obstacle) Unwrap() error { return o.cause }

// waiter counts patience from the last sign of progress.
type waiter struct {
	tell    func(string)
	pace    pace
	backoff wait.Backoff
	told    string
	last    *obstacle
	least   map[string]uint64 // the smallest behind of each state
	moved   time.Time         // the last progress
	trouble time.Time         // when trouble began; zero when there is none
}

func (c *Client) newWaiter(tell func(string)) *waiter {
	if tell == nil {
		tell = func(string) {}
	}
	w := &waiter{tell: tell, pace: c.pace, least: map[string]uint64{}}
	w.reset()
	return w
}

// until repeats try until it returns nil, an error that is no obstacle, or an obstacle that patience or ctx does not outlast.
func (w *waiter) until(ctx context.Context, try func() error) error {
	for {
		err := try()
		var o *obstacle
		if !errors.As(err, &o) {
			return err
		}
		if err := w.pause(ctx, o); err != nil {
			return err
		}
	}
}

// pause returns nil after a while, or the reason to give up: no progress for as long as o has patience, or the end of ctx.
func (w *waiter) pause(ctx context.Context, o *obstacle) error {
	if ctx.Err() != nil && w.last != nil {
		o = w.last // the new one may be no more than a call that was cut off
	}
	w.last = o
	if ctx.Err() != nil {
		return o.advise(fmt.Errorf("%w, while %w", context.Cause(ctx), o))
	}
	if time.Since(w.since(o)) >= o.patience {
		return o.advise(fmt.Errorf("%w (no progress for %s)", o, o.patience))
	}
	if o.text != w.told {
		w.told = o.text
		w.tell(o.text)
	}
	timer := time.NewTimer(w.backoff.Step())
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return o.advise(fmt.Errorf("%w, while %w", context.Cause(ctx), o))
	case <-timer.C:
		return nil
	}
}

// since is from when on the patience for o counts.
func (w *waiter) since(o *obstacle) time.Time {
	if o.state == "" {
		if w.trouble.IsZero() {
			w.reset()
			w.trouble = time.Now()
		}
		return w.trouble
	}
	w.trouble = time.Time{}
	if least, seen := w.least[o.state]; !seen || o.behind < least {
		w.least[o.state] = o.behind
		w.moved = time.Now()
		if !seen {
			w.reset()
		}
	}
	return w.moved
}

// reset makes the next tries frequent again.
func (w *waiter) reset() {
	w.backoff = wait.Backoff{Duration: w.pace.first, Factor: 1.5, Jitter: 0.5, Steps: 100, Cap: w.pace.longest}
}

func (o *obstacle) advise(err error) error {
	if o.mend == "" {
		return err
	}
	return fmt.Errorf("%w: %s", err, o.mend)
}

// transient says whether the same question may be answered a moment later: an election, a restart, a lost connection.
func transient(err error) bool {
	var known rpctypes.EtcdError
	if errors.As(err, &known) {
		return known.Code() == codes.Unavailable || known.Code() == codes.DeadlineExceeded
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return true
	}
	code := status.Code(err)
	return code == codes.Unavailable || code == codes.DeadlineExceeded
}

package etcd

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
)

func TestPromote(t *testing.T) {
	const second = "http://p2:2380"
	for name, test := range map[string]struct {
		set   func(f *fake)
		fails []string
		calls int // to promote; negative for "more than two"
	}{
		"in sync": {set: func(f *fake) { f.Start(f.Learner(true)) }, calls: 1},
		"votes":   {set: func(f *fake) { f.Start(f.Learner(false)) }},
		"promoted by another run": {calls: 1, set: func(f *fake) {
			f.Start(f.Learner(true))
			f.Promote = []error{rpctypes.ErrGRPCMemberNotLearner}
		}},
		"later": {calls: 4, set: func(f *fake) {
			f.Start(f.Learner(true))
			f.Promote = []error{rpctypes.ErrGRPCLearnerNotReady, rpctypes.ErrGRPCLeaderChanged, rpctypes.ErrGRPCLearnerNotReady}
		}},
		"removed": {fails: []string{"cannot make etcd member http://p2:2380 a voting member: it is not a member"}},
		"removed meanwhile": {calls: 1, fails: []string{"it is not a member"}, set: func(f *fake) {
			f.Start(f.Learner(true))
			f.Promote = []error{rpctypes.ErrGRPCMemberNotFound}
			lists := 0
			f.OnList = func() {
				if lists++; lists > 1 {
					f.Members = f.Members[:1]
				}
			}
		}},
		"never starts": {fails: []string{"has not started yet (no progress for 600ms)", "crictl"}, set: func(f *fake) { f.Learner(true) }},
		"no progress": {calls: -1, fails: []string{"etcd member m2 (http://p2:2380, ID 2) is catching up, 60 of 100 entries to go (no progress for 600ms)"},
			set: func(f *fake) {
				f.Start(f.Learner(true))
				f.Status[2].RaftAppliedIndex = 40
				f.Promote = always(rpctypes.ErrGRPCLearnerNotReady)
			}},
		"died": {calls: -1, fails: []string{"does not answer", "connection refused"}, set: func(f *fake) {
			f.Start(f.Learner(true))
			f.Stop[2]()
			f.Promote = always(rpctypes.ErrGRPCLearnerNotReady)
		}},
		"forbidden": {calls: 1, fails: []string{"permission denied"}, set: func(f *fake) {
			f.Start(f.Learner(true))
			f.Promote = []error{rpctypes.ErrGRPCPermissionDenied}
		}},
		"quorum lost": {fails: []string{"etcd has no quorum"}, set: func(f *fake) { f.Start(f.Learner(true)); f.Status[1].Leader = 0 }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t, 1)
			c := f.client()
			if test.set != nil {
				test.set(f)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			err := c.Promote(ctx, second, nil)
			if (err == nil) != (test.fails == nil) {
				t.Fatal(err)
			}
			for _, part := range test.fails {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q is not in: %v", part, err)
				}
			}
			if test.calls >= 0 && len(f.Calls) != test.calls || test.calls < 0 && len(f.Calls) < 3 {
				t.Errorf("calls: %v", f.Calls)
			}
		})
	}
}

// A slow copy may take longer than stall, an election meanwhile does no harm, and flapping is no progress.
func TestPatience(t *testing.T) {
	c := &Client{pace: usualPace}
	copying := func(behind int) error {
		return &obstacle{text: "copying", state: "started", behind: uint64(behind), patience: c.pace.stall}
	}
	silent := &obstacle{text: "silent", state: "silent", patience: c.pace.stall}
	election := &obstacle{text: "election", patience: c.pace.settle, mend: "wait"}
	final := errors.New("no")
	for name, test := range map[string]struct {
		try        func(round int) error
		fails      string
		from, upTo time.Duration // how long it takes
	}{
		"slow copy": {from: 5 * time.Minute, upTo: time.Hour, try: func(n int) error {
			if n > 1000 {
				return nil
			}
			return copying(2000 - n)
		}},
		"elections now and then": {from: 5 * time.Minute, upTo: time.Hour, try: func(n int) error {
			switch {
			case n > 1000:
				return nil
			case n%100 == 0:
				return election
			}
			return copying(2000 - n)
		}},
		"lasting trouble": {from: 15 * time.Second, upTo: 19 * time.Second, try: func(int) error { return election },
			fails: "election (no progress for 15s): wait"},
		"flapping": {from: 2 * time.Minute, upTo: 2*time.Minute + 5*time.Second, fails: "silent", try: func(n int) error {
			if n%2 == 0 {
				return silent
			}
			return copying(7)
		}},
		"final": {try: func(int) error { return final }, fails: "no"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began, rounds := time.Now(), 0
				err := c.newWaiter(nil).until(t.Context(), func() error { rounds++; return test.try(rounds) })
				if took := time.Since(began); took < test.from || took > test.upTo || (err == nil) != (test.fails == "") {
					t.Errorf("%v after %s and %d rounds", err, took, rounds)
				}
				if name == "flapping" && err != nil { // which of the two states is last is chance
					return
				}
				if err != nil && err.Error() != test.fails {
					t.Error(err)
				}
			})
		})
	}
}

// The end of the context comes with what was waited for, not with the call that it happened to cut off.
func TestContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &Client{pace: usualPace}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		err := c.newWaiter(nil).until(ctx, func() error {
			if ctx.Err() != nil {
				return &obstacle{text: "cut off", patience: time.Minute}
			}
			time.Sleep(3 * time.Second)
			return &obstacle{text: "copying", state: "x", patience: time.Minute, mend: "look"}
		})
		if err == nil || err.Error() != "context deadline exceeded, while copying: look" || !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	})
}

func TestPatienceGiven(t *testing.T) {
	for given, want := range map[time.Duration]time.Duration{0: 2 * time.Minute, 7 * time.Second: 7 * time.Second} {
		c := &Client{pace: usualPace, Patience: given}
		if got := c.learner(t.Context(), nil, Member{}).patience; got != want {
			t.Errorf("a learner gets %s of %s", got, given)
		}
		if got := c.late(&obstacle{}).patience; got != want {
			t.Errorf("our own learner gets %s of %s", got, given)
		}
	}
}

func TestTellOnce(t *testing.T) {
	c := &Client{pace: pace{first: time.Millisecond, longest: time.Millisecond}}
	var told []string
	n := 0
	err := c.newWaiter(func(s string) { told = append(told, s) }).until(t.Context(), func() error {
		if n++; n > 6 {
			return nil
		}
		return &obstacle{text: []string{"one", "two"}[n/4], state: "x", patience: time.Minute}
	})
	if diff := cmp.Diff([]string{"one", "two"}, told); diff != "" || err != nil {
		t.Error(diff, err)
	}
}

// TestGuard: what may be done is asked before each try, not only before the first.
func TestGuard(t *testing.T) {
	lost := errors.New("the lock was lost")
	for name, test := range map[string]struct {
		set func(f *fake)
		do  func(ctx context.Context, c *Client) error
	}{
		"add": {func(f *fake) { f.Add = always(rpctypes.ErrGRPCUnhealthy) },
			func(ctx context.Context, c *Client) error {
				_, err := c.Join(ctx, "ours", "http://ours:2380")
				return err
			}},
		"promote": {func(f *fake) { f.Start(f.Learner(true)); f.Promote = always(rpctypes.ErrGRPCLearnerNotReady) },
			func(ctx context.Context, c *Client) error { return c.Promote(ctx, "http://p4:2380", nil) }},
		"remove": {func(f *fake) { f.Remove = always(rpctypes.ErrGRPCMemberNotEnoughStarted) },
			func(ctx context.Context, c *Client) error { return c.Leave(ctx, "http://p3:2380") }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t, 3)
			c := f.client()
			test.set(f)
			asked := 0
			c.Guard = func() error {
				if asked++; asked > 2 {
					return lost
				}
				return nil
			}
			if err := test.do(t.Context(), c); !errors.Is(err, lost) || len(f.Calls) != 2 || f.Calls[0] != name {
				t.Errorf("%v, calls %v", err, f.Calls)
			}
		})
	}
}

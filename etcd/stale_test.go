package etcd

import (
	"slices"
	"strings"
	"testing"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
)

// TestClearWay: a learner that an earlier join left is given its vote, or taken away if it never started; our own is not touched.
func TestClearWay(t *testing.T) {
	for name, test := range map[string]struct {
		set  func(f *fake)
		done string
		call string
	}{
		"nobody":        {set: func(*fake) {}},
		"our own":       {set: func(f *fake) { f.Learner(true).PeerURLs = []string{ours} }},
		"never started": {set: func(f *fake) { f.Learner(true) }, done: "never started; it is removed", call: "remove"},
		"without vote":  {set: func(f *fake) { f.Start(f.Learner(true)) }, done: "it has it now", call: "promote"},
		"dead, without vote": {set: func(f *fake) {
			f.Start(f.Learner(true))
			f.Stop[2]()
			f.Promote = slices.Repeat([]error{rpctypes.ErrGRPCLearnerNotReady}, 10_000)
		}, done: "does not answer; it is removed: join again on its machine", call: "remove"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t, 1)
			c := f.client()
			test.set(f)
			done, err := c.ClearWay(t.Context(), ours, 50*time.Millisecond)
			if err != nil || (test.done == "") != (done == "") || !strings.Contains(done, test.done) {
				t.Errorf("%q, %v", done, err)
			}
			called := slices.ContainsFunc(f.Calls, func(call string) bool { return strings.Contains(call, test.call) })
			if test.call == "" && len(f.Calls) > 0 || !called && test.call != "" {
				t.Errorf("calls %v", f.Calls)
			}
		})
	}
}

// TestClearWayWaits: a learner of a join that goes on is left to it.
func TestClearWayWaits(t *testing.T) {
	f := newFake(t, 1)
	c := f.client()
	other := f.Learner(true)
	time.AfterFunc(150*time.Millisecond, func() {
		f.Lock()
		defer f.Unlock()
		f.Start(other)
		other.IsLearner = false
	})
	if done, err := c.ClearWay(t.Context(), ours, 5*time.Second); done != "" || err != nil || len(f.Calls) > 0 {
		t.Errorf("%q, %v, calls %v", done, err, f.Calls)
	}
}

// TestCanJoin: what Join would say after a change was made elsewhere is said before, and nothing is called that changes anything.
func TestCanJoin(t *testing.T) {
	for name, test := range map[string]struct {
		voters  int
		set     func(f *fake)
		want    string
		replace bool
	}{
		"dead, not asked":    {3, func(f *fake) { f.Members[2].Name = "ours"; f.Stop[3]() }, "--replace-node ours", false},
		"dead, replaced":     {3, func(f *fake) { f.Members[2].Name = "ours"; f.Stop[3]() }, "", true},
		"alive":              {3, func(f *fake) { f.Members[2].Name = "ours" }, "only a dead one is replaced", true},
		"cut off":            {3, func(f *fake) { f.Members[2].Name = "ours"; f.Status[3].Leader = 0 }, "only a dead one is replaced", true},
		"two dead":           {3, func(f *fake) { f.Members[2].Name = "ours"; f.Stop[2](); f.Stop[3]() }, "etcd has no quorum", true},
		"another dead":       {5, func(f *fake) { f.Members[2].Name = "ours"; f.Stop[2](); f.Stop[3]() }, "adds nobody while a voting member is down", true},
		"nobody dead":        {1, func(*fake) {}, "", true},
		"good":               {1, func(*fake) {}, "", false},
		"added already":      {1, func(f *fake) { f.Learner(true).PeerURLs = []string{ours} }, "", false},
		"name taken":         {2, func(f *fake) { f.Members[1].Name = "ours" }, "the name belongs to etcd member ours", false},
		"no quorum":          {3, func(f *fake) { f.Stop[2](); f.Stop[3]() }, "etcd has no quorum", false},
		"one of three down":  {3, func(f *fake) { f.Stop[3]() }, "adds nobody while a voting member is down", false},
		"learner in the way": {1, func(f *fake) { f.Learner(true) }, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t, test.voters)
			c := f.client()
			test.set(f)
			err := c.CanJoin(t.Context(), "ours", ours, test.replace)
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want %q", err, test.want)
			}
			if len(f.Calls) > 0 {
				t.Errorf("calls %v", f.Calls)
			}
		})
	}
}

func TestWorks(t *testing.T) {
	f := newFake(t, 2)
	c := f.client()
	f.Stop[2]()
	members := fromWire(f.Members)
	if !c.Works(t.Context(), members[0]) || c.Works(t.Context(), members[1]) {
		t.Error("the wrong member works")
	}
}

// TestRemoveDead: only a member of that name that does not answer is removed, once, and only when the others can decide it.
func TestRemoveDead(t *testing.T) {
	for name, test := range map[string]struct {
		voters int
		set    func(f *fake)
		want   string
		left   int
	}{
		"dead":      {3, func(f *fake) { f.Members[2].Name = "ours"; f.Stop[3]() }, "", 2},
		"alive":     {3, func(f *fake) { f.Members[2].Name = "ours" }, "only a dead one is replaced", 3},
		"none":      {2, func(*fake) {}, "", 2},
		"our own":   {2, func(f *fake) { f.Members[1].Name, f.Members[1].PeerURLs = "ours", []string{ours}; f.Stop[2]() }, "", 2},
		"no quorum": {2, func(f *fake) { f.Members[1].Name = "ours"; f.Stop[2]() }, "etcd has no quorum", 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t, test.voters)
			c := f.client()
			test.set(f)
			err := c.RemoveDead(t.Context(), "ours", ours)
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) || len(f.Members) != test.left {
				t.Errorf("%v, want %q; members %v", err, test.want, f.Members)
			}
		})
	}
}

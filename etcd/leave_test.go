package etcd

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
)

func TestLeave(t *testing.T) {
	for name, test := range map[string]struct {
		voters int
		set    func(f *fake)
		who    string
		fails  []string
		only   bool
		calls  []string
		left   int
	}{
		"by URL":            {voters: 3, who: "http://p2:2380", calls: []string{"remove"}, left: 2},
		"by ID":             {voters: 3, who: "3", calls: []string{"remove"}, left: 2},
		"leader":            {voters: 3, who: "http://p1:2380", calls: []string{"move from 1 to 2", "remove"}, left: 2},
		"leader, dead heir": {voters: 3, who: "http://p1:2380", calls: nil, left: 3, set: func(f *fake) { f.Stop[2](); f.Stop[3]() }, fails: []string{"no quorum"}},
		"not there":         {voters: 3, who: "http://p9:2380", left: 3},
		"only one":          {voters: 1, who: "http://p1:2380", left: 1, only: true, fails: []string{"it is the only voting member"}},
		"only voter":        {voters: 1, who: "http://p1:2380", left: 2, only: true, fails: []string{"it is the only voting member"}, set: func(f *fake) { f.Learner(true) }},
		"learner":           {voters: 1, who: "http://p2:2380", left: 1, set: func(f *fake) { f.Learner(true) }, calls: []string{"remove"}},
		"dead one":          {voters: 3, who: "http://p3:2380", left: 2, set: func(f *fake) { f.Stop[3]() }, calls: []string{"remove"}},
		"one is dead": {voters: 3, who: "http://p2:2380", left: 3, set: func(f *fake) { f.Stop[3]() }, fails: []string{
			"cannot remove etcd member http://p2:2380: cannot do without etcd member m2 (http://p2:2380, ID 2)",
			"needs 2 of 2 voting members, and has 1; etcd member m3", "connection refused"}},
		"alarm": {voters: 3, who: "http://p2:2380", left: 2, set: func(f *fake) { f.Status[1].Errors = []string{"alarm:NOSPACE"} }, calls: []string{"remove"}},
		"passing trouble": {voters: 2, who: "http://p2:2380", left: 1, calls: []string{"remove", "remove", "remove"}, set: func(f *fake) {
			f.Remove = []error{rpctypes.ErrGRPCUnhealthy, rpctypes.ErrGRPCMemberNotEnoughStarted}
		}},
		"removed by another": {voters: 2, who: "http://p2:2380", left: 2, calls: []string{"remove"}, set: func(f *fake) {
			f.Remove = []error{rpctypes.ErrGRPCMemberNotFound}
		}},
		"forbidden": {voters: 2, who: "http://p2:2380", left: 2, calls: []string{"remove"}, fails: []string{"permission denied"}, set: func(f *fake) {
			f.Remove = []error{rpctypes.ErrGRPCPermissionDenied}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t, test.voters)
			c := f.client()
			if test.set != nil {
				test.set(f)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			err := c.Leave(ctx, test.who)
			if (err == nil) != (test.fails == nil) || errors.Is(err, ErrOnlyMember) != test.only {
				t.Fatal(err)
			}
			for _, part := range test.fails {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q is not in: %v", part, err)
				}
			}
			if diff := cmp.Diff(test.calls, f.Calls); diff != "" || len(f.Members) != test.left {
				t.Errorf("%d members left\n%s", len(f.Members), diff)
			}
		})
	}
}

func TestRemoveStale(t *testing.T) {
	f := newFake(t, 2)
	c := f.client()
	f.Learner(true)
	if err := c.RemoveStale(t.Context(), "http://p3:2380"); err != nil || len(f.Members) != 2 {
		t.Errorf("%d members, %v", len(f.Members), err)
	}
	err := c.RemoveStale(t.Context(), "http://p2:2380")
	if err == nil || !strings.Contains(err.Error(), "it has started before") || len(f.Members) != 2 {
		t.Errorf("%d members, %v", len(f.Members), err)
	}
}

func TestQuorumWithout(t *testing.T) {
	f := newFake(t, 3)
	c := f.client()
	f.Learner(true)
	f.Stop[3]()
	for id, fails := range map[uint64]string{1: "needs 2 of 2 voting members, and has 1", 2: "needs 2 of 2", 3: "", 4: "", 9: ""} {
		err := c.QuorumWithout(t.Context(), id)
		if (err == nil) != (fails == "") || err != nil && !strings.Contains(err.Error(), fails) {
			t.Errorf("without %d: %v", id, err)
		}
	}
	if err := c.Quorum(t.Context()); err != nil {
		t.Errorf("two of three: %v", err)
	}
	f.Stop[2]()
	if err := c.Quorum(t.Context()); err == nil || !strings.Contains(err.Error(), "needs 2 of 3 voting members, and has 1") {
		t.Errorf("one of three: %v", err)
	}
}

package etcd

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"

	"github.com/kubewright/kubewright/host/hosttest"
)

const ours = "http://ours:2380"

// names is how Join's answer reads in --initial-cluster.
func names(members []Member) string {
	var list []string
	for _, m := range members {
		list = append(list, m.Name+"="+strings.Join(m.PeerURLs, "+"))
	}
	return strings.Join(list, ",")
}

func TestJoin(t *testing.T) {
	for name, test := range map[string]struct {
		voters int
		set    func(f *fake)
		want   string   // what Join returns
		fails  []string // or what its error says
		adds   int
	}{
		"new": {voters: 2, want: "m1=http://p1:2380,m2=http://p2:2380,ours=" + ours, adds: 1},
		"not started yet": {voters: 1, want: "m1=http://p1:2380,ours=" + ours,
			set: func(f *fake) { f.Learner(true).PeerURLs = []string{ours} }},
		"voting already": {voters: 2, want: "m1=http://p1:2380,ours=" + ours, set: func(f *fake) { f.Members[1].PeerURLs = []string{ours} }},
		"another without a name": {voters: 1, want: "m1=http://p1:2380,2=http://p2:2380,ours=" + ours, adds: 1,
			set: func(f *fake) { f.Learner(true) }},
		"passing trouble": {voters: 1, want: "m1=http://p1:2380,ours=" + ours, adds: 4, set: func(f *fake) {
			f.Add = []error{rpctypes.ErrGRPCUnhealthy, rpctypes.ErrGRPCLeaderChanged, rpctypes.ErrGRPCMemberNotEnoughStarted}
		}},
		"one of three down": {voters: 3, adds: 1, want: "m1=http://p1:2380,m2=http://p2:2380,m3=http://p3:2380,ours=" + ours,
			set: func(f *fake) { f.Stop[3]() }},
		"name taken": {voters: 2, set: func(f *fake) { f.Members[1].Name = "ours" }, fails: []string{
			"cannot add member ours (http://ours:2380) to etcd: the name belongs to etcd member ours (http://p2:2380, ID 2) already",
			"exec etcd-m1 -- etcdctl", "member remove 2"}},
		"quorum lost": {voters: 3, set: func(f *fake) { f.Stop[2](); f.Stop[3]() }, fails: []string{
			"cannot add member ours (http://ours:2380) to etcd: etcd has no quorum: it needs 2 of 3 voting members, and has 1; " +
				"etcd member m2 (http://p2:2380, ID 2): http://127.0.0.1:", "connection refused; etcd member m3", "start etcd"}},
		"no leader": {voters: 1, set: func(f *fake) { f.Status[1].Leader = 0 }, fails: []string{"has 0; ", "it knows no leader"}},
		"alarm": {voters: 1, set: func(f *fake) { f.Status[1].Errors = []string{"alarm:NOSPACE"} },
			fails: []string{"has 0; etcd member m1 (http://p1:2380, ID 1) reports: alarm:NOSPACE"}},
		"voter down for good": {voters: 3, adds: -1, set: func(f *fake) { f.Stop[2](); f.Add = always(rpctypes.ErrGRPCUnhealthy) },
			fails: []string{"adds nobody while a voting member is down", "etcd member m2", "connection refused", "gone for good", "member remove 2"}},
		"not connected": {voters: 2, adds: -1, set: func(f *fake) { f.Add = always(rpctypes.ErrGRPCUnhealthy) },
			fails: []string{"until all voting members have been connected", "port 2380"}},
		"learner never started": {voters: 1, adds: -1, set: func(f *fake) { f.Learner(true); f.Add = always(rpctypes.ErrGRPCTooManyLearners) },
			fails: []string{"another machine is joining: etcd member without a name (http://p2:2380, ID 2) has not started yet",
				"no progress for 600ms", "run join on that machine again", "member remove 2"}},
		"learner died": {voters: 1, adds: -1, set: func(f *fake) {
			f.Start(f.Learner(true))
			f.Stop[2]()
			f.Add = always(rpctypes.ErrGRPCTooManyLearners)
		}, fails: []string{"etcd member m2 (http://p2:2380, ID 2) does not answer", "connection refused"}},
		"learner forgotten": {voters: 1, adds: -1, set: func(f *fake) { f.Start(f.Learner(true)); f.Add = always(rpctypes.ErrGRPCTooManyLearners) },
			fails: []string{"etcd member m2 (http://p2:2380, ID 2) has started and waits for its vote"}},
		"refused": {voters: 1, adds: 1, set: func(f *fake) { f.Add = []error{rpctypes.ErrGRPCPermissionDenied} },
			fails: []string{"etcdserver: permission denied"}},
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
			members, err := c.Join(ctx, "ours", ours)
			if diff := cmp.Diff(test.want, names(members)); diff != "" || (err == nil) != (test.fails == nil) {
				t.Fatalf("%s%v", diff, err)
			}
			for _, part := range test.fails {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q is not in: %v", part, err)
				}
			}
			if adds := len(f.Calls); test.adds >= 0 && adds != test.adds || test.adds < 0 && adds < 3 {
				t.Errorf("%d tries to add", adds)
			}
		})
	}
}

func always(err error) []error {
	errs := make([]error, 1000)
	for n := range errs {
		errs[n] = err
	}
	return errs
}

// The other machine makes progress for longer than stall, so ours waits, tells, and then joins.
func TestJoinAfterAnother(t *testing.T) {
	f := newFake(t, 1)
	c := f.client()
	other := f.Learner(true)
	f.Add = always(rpctypes.ErrGRPCTooManyLearners)
	began := time.Now()
	f.OnList = func() {
		switch after := time.Since(began); {
		case after > 1400*time.Millisecond:
			other.IsLearner, f.Add = false, nil
		case after > 400*time.Millisecond && !(Member{Name: other.Name}).Started():
			f.Start(other)
			f.Status[2].RaftAppliedIndex = 0
		case other.Name != "":
			f.Status[2].RaftAppliedIndex++
		}
	}
	var told []string
	c.Progress = func(text string) { told = append(told, text) }
	members, err := c.Join(t.Context(), "ours", ours)
	if err != nil || names(members) != "m1=http://p1:2380,m2=http://p2:2380,ours="+ours {
		t.Fatalf("%v, %v", members, err)
	}
	text := strings.Join(told, "\n")
	for _, part := range []string{"has not started yet", "is catching up, 9"} {
		if !strings.Contains(text, part) {
			t.Errorf("%q was not told:\n%s", part, text)
		}
	}
}

func TestJoinEndsWithContext(t *testing.T) {
	f := newFake(t, 1)
	c := f.client()
	f.Learner(true)
	f.Add = always(rpctypes.ErrGRPCTooManyLearners)
	// Ended by what it tells and not by a time: on a busy machine the first answer may take any.
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	c.Progress = func(string) { cancel() }
	_, err := c.Join(ctx, "ours", ours)
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "while") || !strings.Contains(err.Error(), "member remove 2") {
		t.Error(err)
	}
}

// A request that was carried out although its answer got lost is not made twice.
func TestJoinAnswerLost(t *testing.T) {
	f := newFake(t, 1)
	c := f.client()
	f.Add = []error{rpctypes.ErrGRPCTimeout}
	lists := 0
	f.OnList = func() {
		if lists++; lists == 2 {
			f.Learner(true).PeerURLs = []string{ours}
		}
	}
	members, err := c.Join(t.Context(), "ours", ours)
	if err != nil || names(members) != "m1=http://p1:2380,ours="+ours || len(f.Calls) != 1 {
		t.Errorf("%v, %v, %v", members, f.Calls, err)
	}
}

func TestEndpoints(t *testing.T) {
	f := newFake(t, 2)
	f.Start(f.Learner(true))
	members := fromWire(f.Members)
	want := []string{f.Members[0].ClientURLs[0], f.Members[1].ClientURLs[0]}
	if diff := cmp.Diff(want, Endpoints(members)); diff != "" {
		t.Error(diff)
	}
	// A dead seed and a learner are skipped.
	dead := "http://" + hosttest.FreeAddress(t)
	c, err := OpenCluster(t.Context(), []string{dead, f.Members[2].ClientURLs[0], want[1]}, nil, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if diff := cmp.Diff(want, c.endpoints); diff != "" {
		t.Error(diff)
	}
	_, err = OpenCluster(t.Context(), []string{dead, f.Members[2].ClientURLs[0]}, nil, nil, nil)
	if err == nil || !strings.Contains(err.Error(), dead) || !strings.Contains(err.Error(), "not supported for learner") {
		t.Error(err)
	}
	f.Members = []*pb.Member{{ID: 9}}
	if _, err = OpenCluster(t.Context(), want, nil, nil, nil); err == nil || !strings.Contains(err.Error(), "announces a client URL") {
		t.Error(err)
	}
}

package etcd

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/kubewright/kubewright/host/hosttest"
)

// refused is a client URL where nobody listens.
func refused(t *testing.T) string { return "http://" + hosttest.FreeAddress(t) }

// silent is a client URL that takes connections, and does not answer.
func silent(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return "http://" + l.Addr().String()
}

// known is what the machine of member m1, m2, ... knows; its seeds are all members that have started, its own first.
func (f *fake) known(own int) Known {
	f.t.Helper()
	k := Known{Name: f.Members[own-1].Name, PeerURL: f.Members[own-1].PeerURLs[0], DB: filepath.Join(f.t.TempDir(), "db")}
	k.Seeds = slices.Clone(f.Members[own-1].ClientURLs)
	for _, m := range f.Members {
		k.Manifest = append(k.Manifest, m.PeerURLs...)
		k.Seeds = append(k.Seeds, m.ClientURLs...)
	}
	return k
}

// disk stores what the members know by now.
func (f *fake) disk(k *Known) { k.DB = storeMembers(f.t, fromWire(f.Members)...) }

func TestStand(t *testing.T) {
	for name, test := range map[string]struct {
		voters, own int // own is 1 if it is not given
		set         func(t *testing.T, f *fake, k *Known)
		self        string // the name of Self
		others      int
		last        bool
		mute        bool // nobody answers
		refusal     []string
	}{
		"one of three": {voters: 3, self: "m1", others: 2},
		"only one":     {voters: 1, self: "m1", last: true},
		"only voter":   {voters: 1, self: "m1", others: 1, last: true, set: func(_ *testing.T, f *fake, _ *Known) { f.Learner(true) }},
		"own dead":     {voters: 3, self: "m1", others: 2, set: func(_ *testing.T, f *fake, _ *Known) { f.Stop[1]() }},
		"not in it":    {voters: 3, others: 3, set: func(_ *testing.T, _ *fake, k *Known) { k.PeerURL = "http://p9:2380" }},
		"namesake":     {voters: 3, own: 2, others: 3, set: func(_ *testing.T, _ *fake, k *Known) { k.Name, k.PeerURL = "m3", "http://p9:2380" }},
		"another peer URL, by the data": {voters: 3, self: "m1", others: 2, set: func(_ *testing.T, f *fake, k *Known) {
			f.disk(k)
			k.PeerURL = "http://p9:2380"
		}},
		"another peer URL, by the process": {voters: 3, self: "m1", others: 2, set: func(t *testing.T, f *fake, k *Known) {
			f.disk(k)
			k.PeerURL = "http://p9:2380"
			db, err := bolt.Open(k.DB, 0o600, nil)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = db.Close() })
		}},
		"taken out, and its name is another's": {voters: 3, others: 3, set: func(t *testing.T, f *fake, k *Known) {
			k.PeerURL, k.DB = "http://p9:2380", storeMembers(t, stored(3)...)
		}},
		"with a slash":          {voters: 3, self: "m1", others: 2, set: func(_ *testing.T, _ *fake, k *Known) { k.PeerURL += "/" }},
		"alarm":                 {voters: 3, self: "m1", others: 2, set: func(_ *testing.T, f *fake, _ *Known) { f.Status[2].Errors = []string{"alarm:NOSPACE"} }},
		"one that is hung":      {voters: 3, self: "m1", others: 2, set: func(t *testing.T, _ *fake, k *Known) { k.Seeds[0] = silent(t) }},
		"own data is of no use": {voters: 3, self: "m1", others: 2, set: func(t *testing.T, _ *fake, k *Known) { k.DB = storeMembers(t, stored(1)...) }},
		"one other down": {voters: 3, self: "m1", others: 2, set: func(_ *testing.T, f *fake, _ *Known) { f.Stop[3]() }, refusal: []string{
			"cannot do without etcd member m1 (http://p1:2380, ID 1): etcd has no quorum: it needs 2 of 2 voting members, and has 1; " +
				"etcd member m3 (http://p3:2380, ID 3): http://", "connection refused\nstart etcd again", "member remove 3"}},
		"both others down": {voters: 3, self: "m1", others: 2, set: func(_ *testing.T, f *fake, _ *Known) { f.Stop[2](); f.Stop[3]() },
			refusal: []string{"etcd member m2 (", "etcd member m3 (", "has 0"}},
		"others without a leader": {voters: 2, self: "m1", others: 1, refusal: []string{"m2 (", "it knows no leader", "and start etcd on this machine"},
			set: func(_ *testing.T, f *fake, _ *Known) { f.Stop[1](); f.Status[2].Leader = 0 }},
		"election": {voters: 3, self: "m1", others: 2, set: func(_ *testing.T, f *fake, _ *Known) {
			f.Status[2].Leader = 0
			time.AfterFunc(time.Second, func() { f.Lock(); defer f.Unlock(); f.Status[2].Leader = 3 })
		}},
		"disk, own dead and no other seed": {voters: 3, self: "m1", others: 2, set: func(_ *testing.T, f *fake, k *Known) {
			f.Stop[1]()
			f.disk(k)
			k.Seeds = k.Seeds[:1]
		}},
		"disk, all dead": {voters: 3, self: "m1", others: 2, mute: true, set: func(_ *testing.T, f *fake, k *Known) {
			f.disk(k)
			k.Seeds = k.Seeds[:2]
			f.Stop[1]()
			f.Stop[2]()
			f.Stop[3]()
		}, refusal: []string{"cannot take etcd member m1 (http://p1:2380, ID 1) out of its cluster: no other member answers: etcd member m2 (",
			"etcd member m3 (http://p3:2380, ID 3); http://", "connection refused", "start etcd again"}},
		"disk, only one": {voters: 1, self: "m1", last: true, mute: true, set: func(_ *testing.T, f *fake, k *Known) { f.disk(k); f.Stop[1]() }},
		"disk, other peer URL in the manifest": {voters: 1, self: "m1", last: true, mute: true, set: func(_ *testing.T, f *fake, k *Known) {
			f.disk(k)
			f.Stop[1]()
			k.PeerURL = "http://p9:2380"
		}},
		"disk, taken out": {voters: 2, others: 1, mute: true, set: func(_ *testing.T, f *fake, k *Known) {
			f.Members = f.Members[1:]
			f.disk(k)
			f.Stop[1]()
			f.Stop[2]()
		}},
		"running and mute": {voters: 1, mute: true, set: func(t *testing.T, f *fake, k *Known) {
			f.disk(k)
			f.Stop[1]()
			db, err := bolt.Open(k.DB, 0o600, nil)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = db.Close() })
		}, refusal: []string{"cannot tell what this machine's member is to its cluster: nobody answers; http://", "a running process has it open", "look why"}},
		"damaged": {voters: 1, mute: true, refusal: []string{"nobody answers; http://", "cannot read the members from etcd's data"},
			set: func(t *testing.T, f *fake, k *Known) {
				f.Stop[1]()
				if err := os.WriteFile(k.DB, make([]byte, 1<<16), 0o600); err != nil {
					t.Fatal(err)
				}
			}},
		"never started": {voters: 1, mute: true, set: func(_ *testing.T, f *fake, _ *Known) { f.Stop[1]() }},
		"knew nobody":   {voters: 1, mute: true, set: func(t *testing.T, f *fake, k *Known) { f.Stop[1](); k.DB = storeMembers(t) }},
		"no manifest":   {voters: 1, mute: true, set: func(t *testing.T, f *fake, k *Known) { *k = Known{DB: k.DB} }},
		"join that went away": {voters: 2, self: "", others: 1, mute: true, refusal: []string{"which has others: no other member answers: http://127.0.0.9:1; http://", "http://127.0.0.9:2379: dial"},
			set: func(_ *testing.T, f *fake, k *Known) {
				f.Stop[1]()
				f.Stop[2]()
				k.Manifest = []string{k.PeerURL, "http://127.0.0.9:1"}
			}},
		"unusable certificate": {voters: 1, mute: true, refusal: nil, set: func(_ *testing.T, f *fake, k *Known) {
			k.Seeds = []string{"https://127.0.0.1:1"}
			k.Cert = []byte("no PEM")
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t, test.voters)
			k := f.known(max(test.own, 1))
			if test.set != nil {
				test.set(t, f, &k)
			}
			began := time.Now()
			s := Stand(t.Context(), k)
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("took %s", took)
			}
			self := ""
			if s.Self != nil {
				self = s.Self.Name
			}
			if self != test.self || len(s.Others) != test.others || s.Last() != test.last || s.Answered == test.mute {
				t.Errorf("%+v, self %s, last %t", s, self, s.Last())
			}
			if (s.Refusal == nil) != (test.refusal == nil) {
				t.Fatal(s.Refusal)
			}
			for _, part := range test.refusal {
				if !strings.Contains(s.Refusal.Error(), part) {
					t.Errorf("%q is not in: %v", part, s.Refusal)
				}
			}
			if len(f.Calls) > 0 {
				t.Errorf("it has changed something: %v", f.Calls)
			}
		})
	}
}

// TestStandLearner: a learner has no vote that would be missed, but only voters with a quorum can take it out.
func TestStandLearner(t *testing.T) {
	f := newFake(t, 2)
	f.Start(f.Learner(true))
	k := f.known(3)
	if s := Stand(t.Context(), k); s.Self == nil || !s.Self.Learner || s.Refusal != nil || s.Last() || !s.Answered {
		t.Errorf("%+v", s)
	}
	f.Stop[2]()
	if s := Stand(t.Context(), k); s.Refusal == nil || !strings.Contains(s.Refusal.Error(), "it needs 2 of 2 voting members, and has 1") {
		t.Errorf("%+v", s)
	}
}

// TestStandDeadSeeds: those that do not answer are asked at the same time.
func TestStandDeadSeeds(t *testing.T) {
	k := Known{PeerURL: "http://p1:2380", Seeds: []string{silent(t), silent(t), silent(t), refused(t)}, DB: t.TempDir() + "/db"}
	k.Manifest = []string{"http://p1:2380"}
	began := time.Now()
	s := Stand(t.Context(), k)
	if took := time.Since(began); took < time.Second || took > 4*time.Second || s.Answered || s.Refusal != nil {
		t.Errorf("%+v after %s", s, took)
	}
	k.Seeds = k.Seeds[3:]
	began = time.Now()
	if s = Stand(t.Context(), k); time.Since(began) > time.Second || s.Answered {
		t.Errorf("%+v after %s", s, time.Since(began))
	}
}

func TestKnownLeave(t *testing.T) {
	f := newFake(t, 3)
	k := f.known(1)
	s := Stand(t.Context(), k)
	if gone, err := k.Gone(t.Context(), s); gone || err != nil {
		t.Errorf("before: %t, %v", gone, err)
	}
	if err := k.Leave(t.Context(), s, nil); err != nil || !slices.Equal(f.Calls, []string{"move from 1 to 2", "remove"}) {
		t.Errorf("%v, calls %v", err, f.Calls)
	}
	f.Stop[1]()
	if gone, err := k.Gone(t.Context(), s); !gone || err != nil {
		t.Errorf("after: %t, %v", gone, err)
	}
	if err := k.Leave(t.Context(), s, nil); err != nil {
		t.Errorf("again: %v", err)
	}
	if s = Stand(t.Context(), k); s.Self != nil || s.Refusal != nil || len(s.Others) != 2 {
		t.Errorf("%+v", s)
	}
	if err := k.Leave(t.Context(), s, nil); err != nil || len(f.Members) != 2 {
		t.Errorf("%v, %v", f.Members, err)
	}
}

func TestKnownLeaveLast(t *testing.T) {
	f := newFake(t, 1)
	k := f.known(1)
	s := Stand(t.Context(), k)
	if err := k.Leave(t.Context(), s, nil); !errors.Is(err, ErrOnlyMember) || len(f.Calls) > 0 {
		t.Errorf("%v, calls %v", err, f.Calls)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if s := Stand(ctx, k); s.Answered {
		t.Errorf("%+v", s)
	}
}

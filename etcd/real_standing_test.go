package etcd

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

// known is what the machine knows that started with one other seed.
func (m *machine) known(seeds ...*machine) Known {
	k := Known{Name: m.name, PeerURL: m.peer, Seeds: []string{m.client}, DB: m.dir + "/data/member/snap/db", Manifest: []string{m.peer}}
	for _, s := range seeds {
		k.Seeds = append(k.Seeds, s.client)
		k.Manifest = append(k.Manifest, s.peer)
	}
	return k
}

// three is a cluster of three, the leader first.
func three(ctx context.Context, t *testing.T) [3]*machine {
	t.Helper()
	all := [3]*machine{first(t), newMachine(t, "m2"), newMachine(t, "m3")}
	for _, m := range all[1:] {
		if err := m.grow(ctx, t, all[0]); err != nil {
			t.Fatal(err)
		}
	}
	c := through(t, all[0])
	members, err := c.Members(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range c.look(ctx, members) {
		for n, m := range all {
			if l.err == nil && l.status.Leader == l.member.ID && m.name == l.member.Name {
				all[0], all[n] = all[n], all[0]
			}
		}
	}
	return all
}

// leaves takes the member out and checks that the others work without it.
func (k Known) leaves(ctx context.Context, t *testing.T, others int) {
	t.Helper()
	s := Stand(ctx, k)
	if s.Self == nil || s.Refusal != nil || s.Last() || len(s.Others) != others || !s.Answered {
		t.Fatalf("%s: %+v", k.Name, s)
	}
	if gone, err := k.Gone(ctx, s); gone || err != nil {
		t.Errorf("%s before: %t, %v", k.Name, gone, err)
	}
	if err := k.Leave(ctx, s, func(text string) { t.Log(k.Name, text) }); err != nil {
		t.Fatal(err)
	}
	if gone, err := k.Gone(ctx, s); !gone || err != nil {
		t.Errorf("%s after: %t, %v", k.Name, gone, err)
	}
}

// TestRealStanding: followers, leaders and dead ones leave, and the last one is the last.
func TestRealStanding(t *testing.T) {
	for name, own := range map[string]int{"leader": 0, "follower": 1, "dead": 2} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			all := three(ctx, t)
			m := all[own]
			k := m.known()
			if name == "dead" {
				m.kill() // the others are only in its data
			} else if _, err := ReadMembers(k.DB); !errors.Is(err, ErrRunning) {
				t.Errorf("data of one that runs: %v", err)
			}
			k.leaves(ctx, t, 2)
		})
	}
}

// TestRealRefusal: each other member counts when the own one goes, and a dead single member is the last.
func TestRealRefusal(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	all := three(ctx, t)
	k := all[0].known(all[1], all[2])
	all[2].kill()
	s := Stand(ctx, k)
	if s.Refusal == nil || !strings.Contains(s.Refusal.Error(), "needs 2 of 2 voting members, and has 1; etcd member "+all[2].name) {
		t.Errorf("one other down: %+v", s)
	}
	t.Log(s.Refusal)
	all[1].kill()
	if s = Stand(ctx, k); s.Refusal == nil || !s.Answered || s.Self == nil || !strings.Contains(s.Refusal.Error(), "and has 0") {
		t.Errorf("two others down: %+v", s)
	}
	time.Sleep(200 * time.Millisecond) // etcd writes with a delay
	all[0].kill()
	if s = Stand(ctx, k); s.Refusal == nil || s.Answered || s.Self == nil || s.Self.Name != all[0].name || len(s.Others) != 2 {
		t.Errorf("all down: %+v", s)
	}
	t.Log(s.Refusal)
}

// TestRealLastDead: a dead single control plane can be reset.
func TestRealLastDead(t *testing.T) {
	m := first(t)
	k := m.known()
	if s := Stand(t.Context(), k); !s.Last() || !s.Answered || s.Refusal != nil {
		t.Errorf("alive: %+v", s)
	}
	time.Sleep(200 * time.Millisecond) // etcd writes with a delay
	m.kill()
	if s := Stand(t.Context(), k); !s.Last() || s.Answered || s.Refusal != nil || s.Self.Name != m.name {
		t.Errorf("dead: %+v", s)
	}
}

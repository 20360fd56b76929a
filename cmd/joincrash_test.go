package cmd

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kubewright/kubewright/etcd/etcdtest"
)

// killed is what a run panics with that is killed: nothing is cleaned up.
type killed struct{}

// killAt runs a command that is killed at a write to a file, and says whether it came so far. The lock stays as it was then.
func (m *fakeMachine) killAt(write int, args ...string) (dead bool) {
	m.t.Helper()
	n := 0
	var lease any
	m.host.Fault = func(string, string) error {
		if n++; n == write {
			m.cluster.mu.Lock()
			if have, ok := m.cluster.objects[leases+"/kubewright-etcd"].(map[string]any); ok {
				lease = maps.Clone(have)
			}
			m.cluster.mu.Unlock()
			panic(killed{})
		}
		return nil
	}
	dead = m.killed(args...)
	if lease != nil {
		m.cluster.mu.Lock()
		m.cluster.objects[leases+"/kubewright-etcd"] = lease
		m.cluster.mu.Unlock()
	}
	return dead
}

// killed runs a command that a fault of the host may kill, and says whether it did.
func (m *fakeMachine) killed(args ...string) (dead bool) {
	m.t.Helper()
	defer func() {
		m.host.Fault = nil
		r := recover()
		if _, dead = r.(killed); r != nil && !dead {
			panic(r)
		}
	}()
	if code, _, stderr := m.run(args...); code != 0 {
		m.t.Errorf("exit code %d\n%s", code, stderr)
	}
	return false
}

// keys are the private keys on the machine, by path.
func (m *fakeMachine) keys() map[string]string {
	m.t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(m.host.Root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".key" {
			return err
		}
		data, err := os.ReadFile(path)
		found[path] = string(data)
		return err
	})
	if err != nil {
		m.t.Error(err)
	}
	return found
}

// TestJoinKilled kills the join of a control plane with an etcd member of its own at writes all along, where nothing is cleaned up,
// and runs the same command again: it comes to the end with the same members, no learner, and no key that was made twice. Around each
// change of etcd's members it is killed at every write: the journal has one right before it, and the next step one right after it.
func TestJoinKilled(t *testing.T) {
	// What a run had done with etcd at each of its writes.
	c, e := newStacked(t)
	m := newMachine(t, c, "cp2")
	runEtcd(t, m, e)
	var states []string
	m.host.Fault = func(string, string) error { states = append(states, etcdState(e)); return nil }
	joined(t, m, c.controlPlane(c.upload(t))...)
	changed := func(at int) bool { // within four writes of a change
		return states[max(at-4, 0)] != states[min(at+4, len(states)-1)]
	}
	kills := 0
	for at := range states {
		if at%60 == 0 || changed(at) {
			kills++
			t.Run(fmt.Sprint(at+1), func(t *testing.T) { joinKilledAt(t, at+1) })
		}
	}
	if kills < 12 {
		t.Errorf("killed %d times at %d writes", kills, len(states))
	}
}

func joinKilledAt(t *testing.T, write int) {
	t.Parallel()
	c, e := newStacked(t)
	m := newMachine(t, c, "cp2")
	args := c.controlPlane(c.upload(t))
	runEtcd(t, m, e)
	if !m.killAt(write, args...) {
		t.Fatal("it was not killed")
	}
	before, state := m.keys(), etcdState(e)
	joined(t, m, args...)
	for path, key := range m.keys() {
		if was, there := before[path]; there && was != key {
			t.Errorf("with %s: %s was made again", state, path)
		}
	}
	e.Lock()
	own, members, calls := ownMember(e), len(e.Members), slices.Clone(e.Calls)
	learner := own == nil || own.IsLearner
	e.Unlock()
	if learner || members != 2 || !slices.Equal(calls, []string{"add", "promote"}) {
		t.Errorf("with %s: %d members, ours %v, calls %v", state, members, own, calls)
	}
	if output := joined(t, m, args...); !strings.Contains(output, "Nothing to do") {
		t.Errorf("with %s, one more run:\n%s", state, output)
	}
}

// etcdState is what was done with etcd.
func etcdState(e *etcdtest.Fake) string {
	e.Lock()
	defer e.Unlock()
	return fmt.Sprint(e.Calls)
}

package etcd

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kubewright/kubewright/host/hosttest"
)

// machine is one etcd on loopback.
type machine struct {
	name, client, peer, dir string
	cmd                     *exec.Cmd
}

func newMachine(t *testing.T, name string) *machine {
	t.Helper()
	if os.Getenv("KUBEWRIGHT_ETCD_BIN") == "" {
		t.Skip("KUBEWRIGHT_ETCD_BIN is not set")
	}
	return &machine{name: name, client: "http://" + hosttest.FreeAddress(t), peer: "http://" + hosttest.FreeAddress(t), dir: t.TempDir()}
}

// run starts etcd with the members that Join returned; none means a new cluster.
func (m *machine) run(t *testing.T, members []Member) {
	state, initial := "new", m.name+"="+m.peer
	if members != nil {
		state, initial = "existing", names(members)
	}
	m.cmd = exec.Command(os.Getenv("KUBEWRIGHT_ETCD_BIN"), "--name="+m.name, "--data-dir="+m.dir+"/data", "--listen-client-urls="+m.client,
		"--advertise-client-urls="+m.client, "--listen-peer-urls="+m.peer, "--initial-advertise-peer-urls="+m.peer,
		"--initial-cluster="+initial, "--initial-cluster-state="+state, "--unsafe-no-fsync")
	m.cmd.Args[0] = "etcd"
	log, err := os.Create(m.dir + "/log")
	if err != nil {
		t.Error(err)
		return
	}
	m.cmd.Stdout, m.cmd.Stderr = log, log
	if err := m.cmd.Start(); err != nil {
		t.Error(err)
	}
	t.Cleanup(func() {
		m.kill()
		_ = log.Close()
		if data, err := os.ReadFile(m.dir + "/log"); t.Failed() && err == nil {
			t.Logf("%s said at the end:\n%s", m.name, data[max(0, len(data)-2000):])
		}
	})
}

func (m *machine) kill() {
	if m.cmd != nil {
		_ = m.cmd.Process.Kill()
		_ = m.cmd.Wait()
		m.cmd = nil
	}
}

// first is a cluster of one.
func first(t *testing.T) *machine {
	t.Helper()
	m := newMachine(t, "m1")
	m.run(t, nil)
	c, err := Open([]string{m.client}, nil, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for c.Quorum(ctx) != nil {
		if ctx.Err() != nil {
			t.Fatal("the first member does not start")
		}
		time.Sleep(20 * time.Millisecond)
	}
	return m
}

// through makes a client of the cluster that seeds know.
func through(t *testing.T, seeds ...*machine) *Client {
	t.Helper()
	var urls []string
	for _, m := range seeds {
		urls = append(urls, m.client)
	}
	c, err := OpenCluster(t.Context(), urls, nil, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// grow makes a whole join of a machine.
func (m *machine) grow(ctx context.Context, t *testing.T, seed *machine) error {
	c, err := OpenCluster(ctx, []string{seed.client}, nil, nil, nil)
	if err != nil {
		return err
	}
	defer c.Close()
	tell := func(text string) { t.Logf("%s: %s", m.name, text) }
	c.Progress = tell
	members, err := c.Join(ctx, m.name, m.peer)
	if err != nil {
		return err
	}
	m.run(t, members)
	return c.Promote(ctx, m.peer, tell)
}

func TestRealConcurrentJoins(t *testing.T) {
	m1, m2, m3 := first(t), newMachine(t, "m2"), newMachine(t, "m3")
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	var both sync.WaitGroup
	for _, m := range []*machine{m2, m3} {
		both.Go(func() {
			if err := m.grow(ctx, t, m1); err != nil {
				t.Error(err)
			}
		})
	}
	both.Wait()
	if t.Failed() {
		t.FailNow()
	}
	c := through(t, m1)
	members, err := c.Members(ctx)
	if err != nil || len(Endpoints(members)) != 3 || c.Quorum(ctx) != nil || c.Healthy(ctx) != nil {
		t.Fatalf("%v, %v", members, err)
	}
	// All of it again changes nothing.
	again, err := c.Join(ctx, "m2", m2.peer)
	if err != nil || names(again) != names(members) {
		t.Errorf("%v, %v", again, err)
	}
	if err := c.Promote(ctx, m2.peer, nil); err != nil {
		t.Error(err)
	}
	// The one that leads leaves without a pause of the others.
	leader := m1
	for _, l := range c.look(ctx, members) {
		if l.err == nil && l.status.Leader == l.member.ID {
			leader = map[string]*machine{"m1": m1, "m2": m2, "m3": m3}[l.member.Name]
		}
	}
	if err := c.Leave(ctx, leader.peer); err != nil {
		t.Fatal(err)
	}
	leader.kill()
	if err := c.Leave(ctx, leader.peer); err != nil {
		t.Errorf("a second time: %v", err)
	}
	if members, err = c.Members(ctx); err != nil || len(members) != 2 {
		t.Errorf("%v, %v", members, err)
	}
}

func TestRealKilledLearner(t *testing.T) {
	m1, m2, m3 := first(t), newMachine(t, "m2"), newMachine(t, "m3")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c := through(t, m1)
	c.pace.stall = 2 * time.Second
	members, err := c.Join(ctx, m2.name, m2.peer)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Promote(ctx, m2.peer, nil); err == nil || !strings.Contains(err.Error(), "has not started yet (no progress for 2s)") {
		t.Errorf("never started: %v", err)
	}
	if _, err := c.Join(ctx, m3.name, m3.peer); err == nil || !strings.Contains(err.Error(), "another machine is joining") {
		t.Errorf("learner in the way: %v", err)
	}
	m2.run(t, members)
	for m, found := (Member{}), false; !found || !m.Started(); m, found = find(members, m2.peer) {
		if members, err = c.Members(ctx); err != nil {
			t.Fatal(err)
		}
	}
	m2.kill()
	if _, err := c.Join(ctx, m3.name, m3.peer); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("etcd member m2 (%s, ID ", m2.peer)) ||
		!strings.Contains(err.Error(), "does not answer") {
		t.Errorf("dead learner in the way: %v", err)
	}
	if err := c.RemoveStale(ctx, m2.peer); err == nil {
		t.Error("a member that had started was removed as if it had not")
	}
	if err := c.Leave(ctx, m2.peer); err != nil {
		t.Error(err)
	}
	if err := m3.grow(ctx, t, m1); err != nil {
		t.Error(err)
	}
}

func TestRealQuorum(t *testing.T) {
	m1, m2, m3, m4 := first(t), newMachine(t, "m2"), newMachine(t, "m3"), newMachine(t, "m4")
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	for _, m := range []*machine{m2, m3} {
		if err := m.grow(ctx, t, m1); err != nil {
			t.Fatal(err)
		}
	}
	c := through(t, m1)
	c.pace.settle = 7 * time.Second
	m3.kill()
	if err := c.Quorum(ctx); err != nil {
		t.Errorf("two of three: %v", err)
	}
	_, err := c.Join(ctx, m4.name, m4.peer)
	if err == nil || !strings.Contains(err.Error(), "adds nobody while a voting member is down") || !strings.Contains(err.Error(), "etcd member m3") {
		t.Errorf("one of three down: %v", err)
	}
	t.Log(err)
	m2.kill()
	began := time.Now()
	_, err = c.Join(ctx, m4.name, m4.peer)
	if err == nil || !strings.Contains(err.Error(), "etcd has no quorum: it needs 2 of 3 voting members") || time.Since(began) > 20*time.Second {
		t.Errorf("quorum lost: %v after %s", err, time.Since(began))
	}
	t.Log(err)
	if err := c.Leave(ctx, m2.peer); err == nil || !strings.Contains(err.Error(), "no quorum") {
		t.Errorf("left without quorum: %v", err)
	}
}

package cmd

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/kubewright/kubewright/host"
	"github.com/kubewright/kubewright/systemd"
)

// reaper kills a run at one of the boundaries that it comes to: each change of a file, and each call that changes something, before
// it is carried out and before its answer comes. What the run asks for after that does not happen: all stays as kill -9 leaves it.
type reaper struct {
	// at is the boundary at which it kills, where the run comes to it for the first time; empty means none.
	at string

	mu   sync.Mutex
	seen []string
	dead bool
	die  func()
}

var errKilled = errors.New("killed")

// pass is one boundary.
func (r *reaper) pass(what string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.dead {
		return errKilled
	}
	if strings.HasPrefix(what, "append ") { // to the journal, all the time
		what = "record"
		if len(r.seen) > 0 {
			what += " after " + r.seen[len(r.seen)-1]
		}
	}
	what = ofRun.ReplaceAllString(what, "$1<run>")
	what = ofRecord.ReplaceAllString(what, "<n>.")
	if r.seen = append(r.seen, what); what == r.at {
		r.dead = true
		r.die()
		return errKilled
	}
	return nil
}

// call is the two boundaries of a call that changes something.
func (r *reaper) call(what string, do func() error) error {
	if err := r.pass("before " + what); err != nil {
		return err
	}
	err := do()
	if dead := r.pass("answer of " + what); dead != nil {
		return dead
	}
	return err
}

// ofRun are the parts of paths that each run has of its own.
var ofRun = regexp.MustCompile(`(/(?:runs|past)/|kubelet-client-|bootstrap-token-|\.(?:reset|removed)-)(20[-\dTZ.]+\d|[a-z0-9]{6}$)`)

// ofRecord is the number of a record in the name of what lies beside the journal.
var ofRecord = regexp.MustCompile(`\b\d{4}\.`)

// boundaries are those that the run came to, each once.
func (r *reaper) boundaries() []string {
	var list []string
	for _, what := range r.seen {
		if !slices.Contains(list, what) {
			list = append(list, what)
		}
	}
	return list
}

func (r *reaper) killed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.dead
}

// reap runs a command line that a reaper may kill. The lock stays as it was then.
func (m *fakeMachine) reap(r *reaper, args ...string) (code int, stderr string) {
	m.t.Helper()
	ctx, cancel := context.WithCancel(m.t.Context())
	defer cancel()
	const lock = "/run/kubewright.lock"
	var holder []byte
	r.die = func() {
		holder, _ = (&host.Host{Root: m.host.Root}).ReadFile(lock)
		cancel()
	}
	watch := func(r *reaper) {
		m.reaper = r
		m.cluster.mu.Lock()
		m.cluster.reaper = r
		m.cluster.mu.Unlock()
		if m.etcd != nil {
			m.etcd.Lock()
			defer m.etcd.Unlock()
			if m.etcd.Around = nil; r != nil {
				m.etcd.Around = r.call
			}
		}
	}
	watch(r)
	defer watch(nil)
	code, _, stderr = m.runFor(ctx, args...)
	if r.killed() {
		m.write(lock, holder)
	}
	return code, stderr
}

// fault is the boundary before each change of a file.
func (m *fakeMachine) fault() func(op, path string) error {
	r, other := m.reaper, m.host.Fault
	if r == nil {
		return other
	}
	return func(op, path string) error { return r.pass(op + " " + path) }
}

// reapedSystemd is systemd as a run sees it that may be killed.
type reapedSystemd struct {
	systemd.Manager
	*reaper
}

func (s reapedSystemd) Reload(ctx context.Context) error {
	return s.call("reload of systemd", func() error { return s.Manager.Reload(ctx) })
}
func (s reapedSystemd) Start(ctx context.Context, name string) error {
	return s.call("start of "+name, func() error { return s.Manager.Start(ctx, name) })
}
func (s reapedSystemd) Restart(ctx context.Context, name string) error {
	return s.call("restart of "+name, func() error { return s.Manager.Restart(ctx, name) })
}
func (s reapedSystemd) Stop(ctx context.Context, name string) error {
	return s.call("stop of "+name, func() error { return s.Manager.Stop(ctx, name) })
}
func (s reapedSystemd) Enable(ctx context.Context, name string) error {
	return s.call("enable of "+name, func() error { return s.Manager.Enable(ctx, name) })
}
func (s reapedSystemd) Disable(ctx context.Context, name string) error {
	return s.call("disable of "+name, func() error { return s.Manager.Disable(ctx, name) })
}

// reapedRuntime is the container runtime as a run sees it that may be killed.
type reapedRuntime struct {
	host.Runtime
	*reaper
}

func (s reapedRuntime) PullImage(ctx context.Context, ref string) error {
	return s.call("pull of "+ref, func() error { return s.Runtime.PullImage(ctx, ref) })
}
func (s reapedRuntime) RemovePod(ctx context.Context, id string) error {
	return s.call("removal of a pod", func() error { return s.Runtime.RemovePod(ctx, id) })
}

// accounts is where ServiceAccounts of kube-system are.
const accounts = "/api/v1/namespaces/kube-system/serviceaccounts/"

// around answers a request unless the run that sent it was killed; one that changes something has its two boundaries.
func (c *fakeCluster) around(r *http.Request, answer func() (any, int)) (obj any, code int) {
	c.mu.Lock()
	reaper := c.reaper
	c.mu.Unlock()
	switch {
	case reaper == nil:
		return answer()
	case reaper.killed():
		return nil, http.StatusForbidden // no reason to try again
	case r.Method == http.MethodPut && strings.HasPrefix(r.URL.Path, leases): // a renewal, which comes when it comes
		return answer()
	case r.Method == http.MethodGet, r.URL.Query().Get("dryRun") != "", strings.HasSuffix(r.URL.Path, "accessreviews"):
		return answer()
	}
	what := fmt.Sprint(r.Method, " ", r.URL.Path)
	if account, is := strings.CutPrefix(r.URL.Path, accounts); is && account != "coredns" && account != "kube-proxy" {
		what = r.Method + " " + accounts + "<controller>" // many at once, in any order
	}
	if err := reaper.call(what, func() error { obj, code = answer(); return nil }); err != nil {
		return nil, http.StatusForbidden
	}
	return obj, code
}

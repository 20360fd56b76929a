package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
)

const leases = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases"

// leaseServer keeps one Lease as the API server does: a write with another version than the stored one is a conflict.
type leaseServer struct {
	sync.Mutex
	t       *testing.T
	version int
	stored  *coordinationv1.Lease
	fail    int // so many requests fail first
}

func (s *leaseServer) put(l *coordinationv1.Lease) {
	s.version++
	l.ResourceVersion = strconv.Itoa(s.version)
	l.Kind, l.APIVersion = "Lease", "coordination.k8s.io/v1"
	s.stored = l
}

func (s *leaseServer) serve(w http.ResponseWriter, r *http.Request) {
	s.Lock()
	defer s.Unlock()
	if s.fail--; s.fail >= 0 {
		refuse(w, 503, "ServiceUnavailable", "starting")
		return
	}
	var sent struct {
		coordinationv1.Lease
		Preconditions metav1.Preconditions `json:"preconditions"`
	}
	if r.Method != http.MethodGet {
		if err := json.NewDecoder(r.Body).Decode(&sent); err != nil {
			s.t.Error(err)
		}
	}
	version := sent.ResourceVersion
	if r.Method == http.MethodDelete {
		version = *sent.Preconditions.ResourceVersion
	}
	switch {
	case r.Method == http.MethodPost && r.URL.Path == leases:
		if s.stored != nil {
			refuse(w, 409, "AlreadyExists", "exists")
			return
		}
		s.put(&sent.Lease)
	case r.URL.Path != leases+"/kubewright-etcd":
		s.t.Errorf("%s %s", r.Method, r.URL)
	case s.stored == nil:
		refuse(w, 404, "NotFound", "not found")
		return
	case r.Method != http.MethodGet && version != s.stored.ResourceVersion:
		refuse(w, 409, "Conflict", "modified")
		return
	case r.Method == http.MethodPut:
		s.put(&sent.Lease)
	case r.Method == http.MethodDelete:
		s.stored = nil
		echo(w, []byte(`{"kind":"Status","apiVersion":"v1","status":"Success"}`))
		return
	}
	text, _ := json.Marshal(s.stored)
	echo(w, text)
}

// now is a copy of the stored lease; nil when there is none.
func (s *leaseServer) now() *coordinationv1.Lease {
	s.Lock()
	defer s.Unlock()
	return s.stored.DeepCopy()
}

func newLeaseServer(t *testing.T) (*leaseServer, *Client) {
	t.Helper()
	s := &leaseServer{t: t}
	return s, serve(t, s.serve)
}

func TestLock(t *testing.T) {
	t.Parallel()
	s, c := newLeaseServer(t)
	s.fail = 2
	lock, err := c.Lock(t.Context(), "etcd", "join on cp2", LockOptions{TTL: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	first := s.now()
	if !strings.HasPrefix(*first.Spec.HolderIdentity, "join on cp2 (") || *first.Spec.LeaseDurationSeconds != 1 ||
		time.Since(first.Spec.RenewTime.Time).Abs() > time.Minute || first.Name != "kubewright-etcd" || first.Namespace != "kube-system" {
		t.Errorf("lease %+v", first)
	}
	time.Sleep(900 * time.Millisecond)
	second := s.now()
	if !second.Spec.RenewTime.After(first.Spec.RenewTime.Time) || !second.Spec.AcquireTime.Equal(first.Spec.AcquireTime) ||
		*second.Spec.HolderIdentity != *first.Spec.HolderIdentity || *second.Spec.LeaseTransitions != 0 {
		t.Errorf("renewed: %v", cmp.Diff(first, second))
	}
	lock.Unlock()
	lock.Unlock()
	if left := s.now(); left != nil {
		t.Errorf("after unlock: %+v", left)
	}
}

// Runs at the same time get the lock one after the other.
func TestLockExcludes(t *testing.T) {
	t.Parallel()
	s, c := newLeaseServer(t)
	var inside, total atomic.Int32
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			lock, err := c.Lock(t.Context(), "etcd", "x", LockOptions{TTL: 3 * time.Second})
			if err != nil {
				t.Error(err)
				return
			}
			if n := inside.Add(1); n != 1 {
				t.Errorf("%d have the lock", n)
			}
			time.Sleep(30 * time.Millisecond)
			total.Add(1)
			inside.Add(-1)
			lock.Unlock()
		})
	}
	wg.Wait()
	if total.Load() != 6 || s.now() != nil {
		t.Errorf("%d had the lock; left: %+v", total.Load(), s.now())
	}
}

func held(by string, seconds int32) *coordinationv1.Lease {
	l := &coordinationv1.Lease{}
	l.Name, l.Namespace = "kubewright-etcd", "kube-system"
	l.Spec.HolderIdentity, l.Spec.LeaseDurationSeconds = ptr.To(by), ptr.To(seconds)
	return l
}

// A holder that died is waited for as long as it promised, however old its lease says that it is; then its lease is taken over.
func TestLockOfTheDead(t *testing.T) {
	t.Parallel()
	s, c := newLeaseServer(t)
	s.put(held("join on cp1 (00000000)", 2))
	var told []string
	began := time.Now()
	lock, err := c.Lock(t.Context(), "etcd", "join on cp2", LockOptions{TTL: time.Second, Progress: func(line string) { told = append(told, line) }})
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Unlock()
	if past := time.Since(began); past < 2*time.Second || past > 20*time.Second {
		t.Errorf("taken over after %v", past)
	}
	if d := cmp.Diff([]string{"waiting for join on cp1 (00000000)"}, told); d != "" {
		t.Error(d)
	}
	if n := *s.now().Spec.LeaseTransitions; n != 1 {
		t.Errorf("%d transitions", n)
	}
}

// A holder that renews keeps the lock; whoever waits learns who it is, and stops when it is told to.
func TestLockOfTheLiving(t *testing.T) {
	t.Parallel()
	_, c := newLeaseServer(t)
	lock, err := c.Lock(t.Context(), "etcd", "join on cp1", LockOptions{TTL: 3 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Unlock()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	_, err = c.Lock(ctx, "etcd", "join on cp2", LockOptions{TTL: time.Second})
	if !errors.Is(err, context.DeadlineExceeded) || !strings.HasPrefix(err.Error(), "cannot take the lock kubewright-etcd in the cluster: ") ||
		!strings.Contains(err.Error(), "it is held by join on cp1 (") {
		t.Errorf("error: %v", err)
	}
}

// TestLockOfADeadRun: what a run of the same machine left is taken at once, if there can be no other.
func TestLockOfADeadRun(t *testing.T) {
	t.Parallel()
	s, c := newLeaseServer(t)
	s.Lock()
	s.put(held("join on cp1 (0000abcd)", 600))
	s.Unlock()
	began := time.Now()
	lock, err := c.Lock(t.Context(), "etcd", "join on cp1", LockOptions{Alone: true})
	if err != nil || time.Since(began) > 5*time.Second {
		t.Fatalf("after %s: %v", time.Since(began), err)
	}
	lock.Unlock()
	s.Lock()
	s.put(held("join on cp10 (0000abcd)", 600))
	s.Unlock()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err := c.Lock(ctx, "etcd", "join on cp1", LockOptions{Alone: true}); err == nil {
		t.Error("took the lock of another machine")
	}
}

// A lock that somebody took over is not taken back, and not given away either.
func TestLockLost(t *testing.T) {
	t.Parallel()
	s, c := newLeaseServer(t)
	told := make(chan string, 9)
	lock, err := c.Lock(t.Context(), "etcd", "join on cp1", LockOptions{TTL: time.Second, Lost: func(err error) { told <- err.Error() }})
	if err != nil {
		t.Fatal(err)
	}
	if err := lock.Check(); err != nil {
		t.Error(err)
	}
	s.Lock()
	s.put(held("join on cp2", 1))
	s.Unlock()
	select {
	case line := <-told:
		if line != "the lock kubewright-etcd was lost: it is held by join on cp2" {
			t.Errorf("told %s", line)
		}
	case <-time.After(20 * time.Second):
		t.Error("nobody was told")
	}
	if err := lock.Check(); err == nil || !strings.Contains(err.Error(), "held by join on cp2") {
		t.Errorf("it counts as held: %v", err)
	}
	lock.Unlock()
	if left := s.now(); left == nil || *left.Spec.HolderIdentity != "join on cp2" {
		t.Errorf("left: %+v", left)
	}
}

func TestLockForbidden(t *testing.T) {
	t.Parallel()
	asked := 0
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		asked++
		refuse(w, 403, "Forbidden", "you may not")
	})
	_, err := c.Lock(t.Context(), "etcd", "x", LockOptions{})
	if want := "cannot take the lock kubewright-etcd in the cluster: you may not"; err == nil || err.Error() != want || asked != 1 {
		t.Errorf("%d requests: %v", asked, err)
	}
}

// A process that was stopped for longer than the lock lasts knows that somebody else may have it.
func TestLockTooOld(t *testing.T) {
	l := &lease{name: "kubewright-etcd", LockOptions: LockOptions{TTL: time.Second}, renewed: time.Now().Add(-3 * time.Second)}
	held := &Held{lease: l}
	if err := held.Check(); err == nil || err.Error() != "the lock kubewright-etcd was lost: it was not renewed for 3s" {
		t.Error(err)
	}
	held = nil
	if err := held.Check(); err != nil {
		t.Error(err)
	}
}

// The lock of a run that died is given back by who knows that it did; nobody else's is touched.
func TestClearLock(t *testing.T) {
	s, c := newLeaseServer(t)
	c.ClearLock(t.Context(), "etcd", "join on cp2") // there is none
	for holder, stays := range map[string]bool{"join on cp2 (0000abcd)": false, "join on cp22 (0000abcd)": true, "": true} {
		s.put(&coordinationv1.Lease{Spec: coordinationv1.LeaseSpec{HolderIdentity: ptr.To(holder)}})
		if c.ClearLock(t.Context(), "etcd", "join on cp2"); s.now() != nil != stays {
			t.Errorf("%q: stays %t", holder, !stays)
		}
	}
}

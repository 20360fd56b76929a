package cluster

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/dynamic"
	"k8s.io/utils/ptr"
)

// LockOptions change how a Lock is held and waited for.
type LockOptions struct {
	// TTL is how long after its last renewal a lock still counts, in whole seconds. Default 15 seconds.
	TTL time.Duration
	// Alone says that there is no other run that calls itself by the same holder, so that a lease of that name is one of a run
	// that died: it is taken at once.
	Alone bool
	// Progress, when set, is told who holds the lock while it is waited for.
	Progress func(string)
	// Lost, when set, is told that the lock was lost while it is held: somebody else took it, or it could not be renewed for its
	// TTL, so that somebody may. What it protects must not go on.
	Lost func(error)
}

// Lock takes the Lease kube-system/kubewright-<name>, so that only one run at a time does what the name says. holder names this
// run for the others. It waits while somebody else renews the lease, until ctx ends, and takes it over when the holder was
// silent for as long as it promised to renew; only the own clock counts for that. It gives up when the API server does not
// answer for as long as the client's Options say.
//
// The lease is renewed in the background until it is unlocked. The end of ctx does not unlock. A lock that somebody else took,
// because the API server could not be reached for longer than its TTL, is not taken again.
func (c *Client) Lock(ctx context.Context, name, holder string, o LockOptions) (*Held, error) {
	o.TTL = max(o.TTL.Truncate(time.Second), 0)
	if o.TTL == 0 {
		o.TTL = 15 * time.Second
	}
	if o.Progress == nil {
		o.Progress = func(string) {}
	}
	if o.Lost == nil {
		o.Lost = func(error) {}
	}
	l := c.lease(name, holder)
	l.LockOptions = o
	if err := l.wait(ctx); err != nil {
		return nil, fmt.Errorf("cannot take the lock %s in the cluster: %w", l.name, err)
	}
	return l.keep(ctx), nil
}

func (c *Client) lease(name, holder string) *lease {
	return &lease{
		client: c, name: "kubewright-" + name, self: holder, holder: fmt.Sprintf("%s (%08x)", holder, rand.Uint32()),
		api: c.dynamic.Resource(coordinationv1.SchemeGroupVersion.WithResource("leases")).Namespace(metav1.NamespaceSystem),
	}
}

// ofSelf says of a holder that it is a run which calls itself like this one.
func (l *lease) ofSelf(holder string) bool { return strings.HasPrefix(holder, l.self+" (") }

type lease struct {
	LockOptions
	client *Client
	api    dynamic.ResourceInterface
	// holder is self with a random number behind it: a run must not take the lease of an earlier one for its own.
	name, self, holder string
	acquired           metav1.MicroTime
	transitions        int32
	// version is that of our last write, empty when it is not known whether there was one, or whether it is the last one.
	version string
	tried   bool
	// seen is the last state that was seen of somebody else's lease, and since when.
	seen  string
	since time.Time

	mu      sync.Mutex
	renewed time.Time // when the last renewal that worked was asked for
	lost    error
}

// heldBy is the error that somebody else has the lease; empty means that another run was faster, whose name is not known yet.
type heldBy string

func (h heldBy) Error() string {
	if h == "" {
		return "another run was faster"
	}
	return "it is held by " + string(h)
}

// wait takes the lease as soon as it is free.
func (l *lease) wait(ctx context.Context) error {
	told, lastAnswer := heldBy(""), time.Now()
	var last error
	for {
		err := l.try(ctx)
		if last == nil || ctx.Err() == nil {
			last = err // once ctx has ended, it says only that
		}
		var other heldBy
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return fmt.Errorf("%w: %w", context.Cause(ctx), last)
		case errors.As(err, &other):
			if lastAnswer = time.Now(); other != told && other != "" {
				told = other
				l.Progress("waiting for " + string(other))
			}
		case !temporary(err) || time.Since(lastAnswer) > l.client.stamina():
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", context.Cause(ctx), last)
		case <-time.After(l.TTL/30 + rand.N(l.TTL/15)): // many may wait: their pauses differ
		}
	}
}

// try takes or renews the lease if it is free or ours.
func (l *lease) try(ctx context.Context) error {
	asked := time.Now()
	err := l.tryOnce(ctx)
	if err == nil {
		l.mu.Lock()
		l.renewed = asked
		l.mu.Unlock()
	}
	return err
}

// tryOnce writes at once where it is likely to be good: a lease is mostly not there, and mostly ours when it is renewed. Otherwise,
// it looks first. The version that was read goes with each write, so that of two who try at the same time only one gets it.
func (l *lease) tryOnce(ctx context.Context) error {
	var err error = heldBy("")
	switch version := l.version; {
	case version != "":
		l.version = ""
		err = l.update(ctx, version)
	case !l.tried:
		l.tried = true
		err = l.create(ctx)
	}
	if err != heldBy("") { //nolint:errorlint // write returns it as it is
		return err
	}
	live, err := l.api.Get(ctx, l.name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return l.create(ctx)
	}
	if err != nil {
		return err
	}
	have := &coordinationv1.Lease{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(live.Object, have); err != nil {
		return err
	}
	l.transitions = ptr.Deref(have.Spec.LeaseTransitions, 0)
	if other := ptr.Deref(have.Spec.HolderIdentity, ""); other != l.holder {
		left := l.Alone && l.ofSelf(other)
		if other != "" && !left && !l.silent(have) {
			return heldBy(other)
		}
		l.acquired = metav1.NowMicro()
		l.transitions++
	}
	return l.update(ctx, live.GetResourceVersion())
}

func (l *lease) create(ctx context.Context) error {
	l.acquired, l.transitions = metav1.NowMicro(), 0
	return l.write(l.api.Create(ctx, l.object(""), metav1.CreateOptions{FieldManager: FieldManager}))
}

func (l *lease) update(ctx context.Context, version string) error {
	return l.write(l.api.Update(ctx, l.object(version), metav1.UpdateOptions{FieldManager: FieldManager}))
}

// silent says that the holder has not renewed for as long as it promised to.
func (l *lease) silent(have *coordinationv1.Lease) bool {
	if have.ResourceVersion != l.seen {
		l.seen, l.since = have.ResourceVersion, time.Now()
	}
	promised := max(l.TTL, time.Duration(ptr.Deref(have.Spec.LeaseDurationSeconds, 0))*time.Second)
	return time.Since(l.since) > promised
}

// write: to lose a race against another run is to wait for it.
func (l *lease) write(now *unstructured.Unstructured, err error) error {
	if apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) || apierrors.IsNotFound(err) && !missingSystemNamespace(err) {
		return heldBy("")
	}
	if err == nil {
		l.version = now.GetResourceVersion()
	}
	return err
}

func (l *lease) object(version string) *unstructured.Unstructured {
	now := metav1.NowMicro()
	metadata := map[string]any{"name": l.name, "namespace": metav1.NamespaceSystem}
	if version != "" {
		metadata["resourceVersion"] = version
	}
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": coordinationv1.SchemeGroupVersion.String(), "kind": "Lease", "metadata": metadata,
		"spec": map[string]any{
			"holderIdentity": l.holder, "leaseDurationSeconds": int64(l.TTL / time.Second), "leaseTransitions": int64(l.transitions),
			"acquireTime": l.acquired.UTC().Format(metav1.RFC3339Micro), "renewTime": now.UTC().Format(metav1.RFC3339Micro),
		},
	}}
}

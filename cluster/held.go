package cluster

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Held is a Lock that is held. Nil is none, which is good for everything.
type Held struct {
	lease  *lease
	unlock func()
}

// Unlock gives it back, and deletes the Lease. It may be called twice.
func (h *Held) Unlock() {
	if h != nil {
		h.unlock()
	}
}

// Check returns nil while nobody else can have the lock: right before what must not be done without it. It looks at no more than
// this machine's clock, which also tells that the process was stopped for a while.
func (h *Held) Check() error {
	if h == nil {
		return nil
	}
	return h.lease.check()
}

// keep renews the lease until it is unlocked.
func (l *lease) keep(ctx context.Context) *Held {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	go func() {
		defer close(done)
		l.renew(ctx)
	}()
	return &Held{lease: l, unlock: sync.OnceFunc(func() {
		cancel()
		<-done
		l.release()
	})}
}

// check says whether the lease is still ours: nobody was seen with it, and its time is not over.
func (l *lease) check() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if past := time.Since(l.renewed); l.lost == nil && past > l.TTL {
		return fmt.Errorf("the lock %s was lost: it was not renewed for %s", l.name, past.Round(time.Second))
	}
	return l.lost
}

func (l *lease) renew(ctx context.Context) {
	tick := time.NewTicker(l.TTL / 4)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		one, cancel := context.WithTimeout(ctx, l.TTL/4)
		err := l.try(one) // one that fails is no harm: others come before the lease ends
		cancel()
		if err == nil || ctx.Err() != nil {
			continue
		}
		lost := l.check()
		var other heldBy
		switch {
		case errors.As(err, &other) && other != "":
			lost = fmt.Errorf("the lock %s was lost: %w", l.name, other)
		case lost != nil:
			lost = fmt.Errorf("%w: %w", lost, err)
		default:
			continue
		}
		l.mu.Lock()
		l.lost = lost
		l.mu.Unlock()
		l.Lost(lost)
		return
	}
}

// release gives the lease back if it is still ours. That it can't is no harm: it ends by itself.
func (l *lease) release() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_ = l.client.retry(ctx, func(ctx context.Context) error {
		if version := l.version; version != "" {
			l.version = ""
			if err := l.drop(ctx, version); !apierrors.IsConflict(err) {
				return err
			}
		}
		live, err := l.api.Get(ctx, l.name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		if h, _, _ := unstructured.NestedString(live.Object, "spec", "holderIdentity"); h != l.holder {
			return nil
		}
		return l.drop(ctx, live.GetResourceVersion())
	})
}

// drop deletes the lease as it was; one that changed meanwhile, also by a renewal of ours that was on its way, is a conflict.
func (l *lease) drop(ctx context.Context, version string) error {
	return l.api.Delete(ctx, l.name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{ResourceVersion: &version}})
}

// ClearLock gives back the lock that a run of this holder had when it died; the caller knows that none is under way. That it can't
// is no harm: the lease ends by itself, only others wait for it.
func (c *Client) ClearLock(ctx context.Context, name, holder string) {
	l := c.lease(name, holder)
	_ = c.retry(ctx, func(ctx context.Context) error {
		live, err := l.api.Get(ctx, l.name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		if h, _, _ := unstructured.NestedString(live.Object, "spec", "holderIdentity"); !l.ofSelf(h) {
			return nil
		}
		if err := l.drop(ctx, live.GetResourceVersion()); !apierrors.IsConflict(err) {
			return err
		}
		return nil // somebody has it now
	})
}

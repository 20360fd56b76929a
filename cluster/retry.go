package cluster

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/wait"
)

const (
	// usualPatience is kubeadm's default of timeouts.kubernetesAPICall.
	usualPatience = time.Minute
	// mostPatience bounds all troubles of one call together, in patiences, and the time for an answer that is slow: there is
	// somebody who is busy, as on an emulated machine whose API server starts its controllers.
	mostPatience = 5
	firstWait    = 20 * time.Millisecond
	longestWait  = time.Second
)

// errNotBound is temporary: the binding may be on its way to the authorizer.
var errNotBound = errors.New("the identity of the kubeconfig is not bound to ClusterRole cluster-admin")

// errNoEtcd is temporary: the mirror pod of etcd may be about to appear.
var errNoEtcd = errors.New("there is no pod of etcd")

// retry calls f until it succeeds, fails for good, ctx ends, or the same thing has been wrong for as long as the client has patience:
// no answer, or the same refusal. Another trouble than before is a step forward of an API server that is starting, and gets its own
// time. The pauses grow from 20 ms to a second, and half as much again by chance: many machines may ask at once. The error is the
// last of f that says more than that time is up.
func (c *Client) retry(ctx context.Context, f func(context.Context) error) error {
	patience, began := c.stamina(), time.Now()
	trouble := map[string]time.Time{} // when each kind of it began
	pauses := wait.Backoff{Duration: firstWait, Factor: 2, Jitter: 0.5, Steps: 100, Cap: longestWait}
	var last error
	for {
		tried := time.Now()
		bounded, cancel := context.WithTimeout(ctx, patience)
		err := f(bounded)
		if err == nil {
			cancel()
			return nil
		}
		if last == nil || bounded.Err() == nil {
			last = err // once time is up, f says only that
		}
		cancel()
		since, known := trouble[steady(last.Error())]
		if !known {
			since = tried // f may have been patient itself
			trouble[steady(last.Error())] = since
		}
		limit := patience
		if slow(err) {
			limit = mostPatience * patience
		}
		if ctx.Err() != nil || !temporary(err) || time.Since(since) >= limit || time.Since(began) >= mostPatience*patience {
			return last
		}
		timer := time.NewTimer(pauses.Step())
		select {
		case <-ctx.Done():
			timer.Stop()
			return last
		case <-timer.C:
		}
	}
}

// slow says that somebody listens and did not answer in time.
func slow(err error) bool {
	var dial *net.OpError
	return timedOut(err) && !(errors.As(err, &dial) && dial.Op == "dial")
}

func timedOut(err error) bool {
	var network net.Error
	return errors.As(err, &network) && network.Timeout()
}

// stamina is the client's patience, or the usual one.
func (c *Client) stamina() time.Duration {
	if c.patience <= 0 {
		return usualPatience
	}
	return c.patience
}

// temporary says whether trying again can help.
func temporary(err error) bool {
	switch {
	case errors.Is(err, context.Canceled):
		return false
	case errors.Is(err, errNotBound), errors.Is(err, errNoEtcd):
		return true
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE),
		errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return true
	case timedOut(err):
		return true
	case apierrors.IsConflict(err), apierrors.IsAlreadyExists(err), apierrors.IsTooManyRequests(err):
		return true
	case apierrors.IsNotFound(err):
		return missingSystemNamespace(err)
	case apierrors.IsForbidden(err): // admission plugins say so until their caches are filled
		return strings.Contains(err.Error(), "not yet ready to handle request")
	}
	var status apierrors.APIStatus
	return errors.As(err, &status) && status.Status().Code >= 500
}

// missingSystemNamespace says whether the error is about one of the namespaces that a new API server makes by itself, some
// moments after it began to answer.
func missingSystemNamespace(err error) bool {
	for _, name := range []string{"default", "kube-system", "kube-public", "kube-node-lease"} {
		if strings.Contains(err.Error(), `namespaces "`+name+`" not found`) {
			return true
		}
	}
	return false
}

func isForbidden(err error) bool {
	return apierrors.IsForbidden(err) && !temporary(err)
}

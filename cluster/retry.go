package cluster

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"syscall"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

const (
	// retryFor bounds retries when the context has no deadline: kubeadm's default of timeouts.kubernetesAPICall.
	retryFor  = time.Minute
	firstWait = 20 * time.Millisecond
	longest   = time.Second
)

// errNotBound is temporary: the binding may be on its way to the authorizer.
var errNotBound = errors.New("the identity of the kubeconfig is not bound to ClusterRole cluster-admin")

// errNoEtcd is temporary: the mirror pod of etcd may be about to appear.
var errNoEtcd = errors.New("there is no pod of etcd")

// retry calls f until it succeeds, fails for good or ctx ends. The pauses grow from 20 ms to a second, each of them longer or
// shorter by up to half, so that many nodes that were refused together do not come back together. When time is up the last
// error of f is returned, because it says more than the context's.
func retry(ctx context.Context, f func(context.Context) error) error {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, retryFor)
		defer cancel()
	}
	var last error
	for pause := firstWait; ; pause = min(2*pause, longest) {
		err := f(ctx)
		if err == nil {
			return nil
		}
		if last == nil || ctx.Err() == nil {
			last = err // once ctx has ended, f says only that
		}
		if ctx.Err() != nil || !temporary(err) {
			return last
		}
		timer := time.NewTimer(pause/2 + rand.N(pause))
		select {
		case <-ctx.Done():
			timer.Stop()
			return last
		case <-timer.C:
		}
	}
}

// temporary says whether trying again can help.
func temporary(err error) bool {
	var network net.Error
	switch {
	case errors.Is(err, context.Canceled):
		return false
	case errors.Is(err, errNotBound), errors.Is(err, errNoEtcd):
		return true
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE),
		errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return true
	case errors.As(err, &network) && network.Timeout():
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

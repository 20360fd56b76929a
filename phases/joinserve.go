package phases

import (
	"context"
	"slices"
	"time"

	"github.com/kubewright/kubewright/config"
	"github.com/kubewright/kubewright/etcd"
	"github.com/kubewright/kubewright/plan"
)

const (
	// serveEvery is how often a new member is looked at; serveSoon how long one may have its data and not serve.
	serveEvery = 50 * time.Millisecond
	serveSoon  = 500 * time.Millisecond
	// startSoon is how long a member may take until it has started, and then to serve: on a machine that is slower, seven seconds make no
	// difference.
	startSoon = 15 * time.Second
)

// letServe restarts this machine's etcd once if it has the data of the others and does not serve. A member serves when it has seen its
// own name come back from the leader. When the name was in the snapshot from which a learner starts, it does not see that, and asks
// again after seven seconds (etcd 3.6, publishV3). After a restart it sees it at once. A learner has no vote that would be missed
// meanwhile. What is wrong with the member is not for this to say.
func letServe(ctx context.Context, t *plan.Target, e *etcd.Client, peer string) {
	if t.Runtime == nil {
		return
	}
	began, started := time.Now(), time.Time{}
	for restarted := false; ctx.Err() == nil && time.Since(began) < startSoon; {
		members, err := e.Members(ctx)
		own := slices.IndexFunc(members, at(peer))
		if err != nil || own < 0 || !members[own].Learner {
			return
		}
		switch m := members[own]; {
		case !m.Started():
		case e.Serves(ctx, m):
			return
		case started.IsZero():
			started = time.Now()
		case !restarted && time.Since(started) > serveSoon:
			restarted = true
			if !restartEtcd(ctx, t) {
				return
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(serveEvery):
		}
	}
}

// restartEtcd ends the container of etcd, which the kubelet starts again in the same pod.
func restartEtcd(ctx context.Context, t *plan.Target) bool {
	containers, err := t.Runtime.Containers(ctx)
	if err != nil {
		return false
	}
	for _, c := range containers {
		if c.Name == config.Etcd && c.Running && t.Runtime.StopContainer(ctx, c.ID) != nil {
			return false
		}
	}
	return true
}

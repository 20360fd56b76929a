package phases

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/kubewright/kubewright/cluster"
	"github.com/kubewright/kubewright/config"
	"github.com/kubewright/kubewright/manifests"
)

// momentsEvery is how often each of them is looked at.
const momentsEvery = 50 * time.Millisecond

// MomentPatience is the cluster.Options.Patience of who looks: an answer takes some time.
const MomentPatience = 500 * time.Millisecond

// Moment is something that comes true once while a control plane starts.
type Moment struct {
	// Component and Name say what, as in "kube-apiserver" and "ready".
	Component, Name string
	check           func(context.Context) error
}

// NewMoment is one more: check returns nil once it has come.
func NewMoment(component, name string, check func(context.Context) error) Moment {
	return Moment{component, name, check}
}

// Moments are those of this machine's control plane, for a picture of how it started: nothing is decided by them. The certificates
// of the components are not verified. Client lends credentials once there are some; the Node is asked for with them.
func Moments(c *config.Config, client func() (*cluster.Client, error)) []Moment {
	var list []Moment
	add := func(component, name, url string) {
		list = append(list, Moment{component, name, cluster.Unverified(component, url).Check})
	}
	add("kubelet", "answers", cluster.KubeletProbe(c).URL)
	if !c.ExternalEtcd() {
		pod := manifests.Etcd(manifests.Node{Config: c})
		if p, ok := cluster.ReadyProbeOf(&pod.Spec.Containers[0]); ok {
			add(p.Name, "ready", p.URL)
		}
	}
	for _, p := range cluster.Probes(c, nil) {
		if p.Name != config.APIServer {
			add(p.Name, "healthy", p.URL)
			continue
		}
		add(p.Name, "live", p.URL)
		add(p.Name, "ready", strings.TrimSuffix(p.URL, "/livez")+"/readyz")
	}
	name := c.Init.NodeRegistration.Name
	return append(list, node(name, "registered", client, func(exists, _ bool) bool { return exists }),
		node(name, "ready", client, func(_, ready bool) bool { return ready }))
}

// node is a moment of the Node, asked for with a client that is made once.
func node(name, moment string, client func() (*cluster.Client, error), reached func(exists, ready bool) bool) Moment {
	var api *cluster.Client
	return Moment{"node", moment, func(ctx context.Context) (err error) {
		if api == nil {
			if api, err = client(); err != nil {
				return err
			}
		}
		exists, ready, err := api.NodeReady(ctx, name)
		if err == nil && !reached(exists, ready) {
			err = fmt.Errorf("node %s is not %s", name, moment)
		}
		return err
	}}
}

// WatchMoments tells each moment when it has come, until all have or the context ends; then it looks once more, for what came right
// before. It returns when nobody tells any more.
func WatchMoments(ctx context.Context, list []Moment, seen func(m Moment, at time.Time)) {
	var running sync.WaitGroup
	for _, m := range list {
		running.Go(func() {
			ticks := time.NewTicker(momentsEvery)
			defer ticks.Stop()
			for m.check(ctx) != nil {
				select {
				case <-ctx.Done():
					last, cancel := context.WithTimeout(context.WithoutCancel(ctx), MomentPatience)
					defer cancel()
					if m.check(last) == nil {
						seen(m, time.Now())
					}
					return
				case <-ticks.C:
				}
			}
			seen(m, time.Now())
		})
	}
	running.Wait()
}

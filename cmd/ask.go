package cmd

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/kubewright/kubewright/cluster"
	"github.com/kubewright/kubewright/config"
	"github.com/kubewright/kubewright/host"
)

// askTime is how long the first questions to a cluster are tried while nobody answers: whoever found it is waiting. One that is only
// slow, as when hundreds join at once, has five times as long.
const askTime = 20 * time.Second

// asked is what the cluster says before anything else is done.
type asked struct {
	// stored is the configuration of the cluster.
	stored *cluster.Configuration
	// registered says that there is a Node of this machine's name, and ready that it is Ready.
	registered, ready bool
}

// ask reads it: three requests at the same time. reach is how long the user wants somebody to be waited for who does not answer, if
// that is longer than we would.
func ask(ctx context.Context, c *cluster.Client, node string, reach time.Duration) (a asked, err error) {
	c = c.WithPatience(max(reach, askTime))
	done := make(chan error)
	go func() {
		var err error
		a.stored, err = c.NodeConfiguration(ctx)
		done <- err
	}()
	a.registered, a.ready, err = c.NodeReady(ctx, node)
	if stored := <-done; stored != nil {
		return a, stored // it says more about what is wrong
	}
	if err != nil {
		err = fmt.Errorf("cannot see whether there is a node %s already: %w", node, err)
	}
	return a, err
}

// continues uses what earlier phases have left here, where no cluster was named.
func (f *joinFlags) continues(ctx context.Context, h *host.Host, j *config.Join, before *membership) (*discovered, error) {
	paths := []string{config.KubeletKubeconfig, config.BootstrapKubeletKubeconfig}
	if j.ControlPlaneJoin() {
		paths = []string{config.AdminKubeconfig}
	}
	for _, path := range paths {
		kc, err := loadKubeconfig(h, path)
		if err != nil {
			return nil, err
		}
		if kc == nil {
			continue
		}
		d := &discovered{ca: kc.CA, server: kc.Server, before: before}
		if d.client, err = cluster.New(kc.data, cluster.Options{Read: h.ReadFile, Dial: h.Dialer, Patience: apiPatience(j.Timeouts)}); err != nil {
			return nil, fmt.Errorf("cannot use the credentials in %s: %w", path, err)
		}
		if path == config.BootstrapKubeletKubeconfig {
			d.bootstrap = kc.data
		}
		d.asked, err = ask(ctx, d.client, j.NodeRegistration.Name, 0)
		return d, err
	}
	return nil, fmt.Errorf("cannot run phase %s: no cluster was named, and no earlier phase has left credentials in %s\n"+
		"give the endpoint, the token and the pin, which kubewright token create --print-join-command prints on a control-plane node",
		f.phase, strings.Join(paths, " or "))
}

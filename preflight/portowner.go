package preflight

import (
	"context"
	"slices"

	"github.com/kubewright/kubewright/config"
)

// ours says whether those who hold a component's port are that component, started by an earlier run of ours.
func (i *initChecks) ours(ctx context.Context, component string, holders []Process) bool {
	if component == kubeletProcess {
		return i.ourKubelet(ctx, holders)
	}
	if i.ownPod(component) == nil {
		return false
	}
	if len(holders) > 0 {
		return !slices.ContainsFunc(holders, func(p Process) bool { return p.Name != component })
	}
	// The process can't be found: it may have ended just now, or be in a place that we can't look into. A container counts
	// even if it has ended, because one that crashes again and again comes back.
	names, err := i.containers.get(ctx)
	return err == nil && slices.Contains(names, component)
}

// ourKubelet: an earlier run has written manifests, or was about to. The kubelet of another cluster's node has manifests that are not
// ours, or, as a worker, credentials of a CA whose key is not here.
func (i *initChecks) ourKubelet(ctx context.Context, holders []Process) bool {
	if i.m.Systemd == nil || !i.anyOwnPod() && !i.joined() && !i.beginsCluster() {
		return false
	}
	unit, err := i.m.Systemd.Unit(ctx, config.KubeletService)
	if err != nil || unit.ActiveState == "inactive" || unit.ActiveState == "failed" {
		return false
	}
	return !slices.ContainsFunc(holders, func(p Process) bool {
		return p.Name != kubeletProcess && p.PID != int(unit.MainPID)
	})
}

// askContainers lists the static pods' containers by name.
func (i *initChecks) askContainers(ctx context.Context) ([]string, error) {
	if i.m.Runtime == nil {
		return nil, nil
	}
	list, err := i.m.Runtime.Containers(ctx)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, c := range list {
		names = append(names, c.Name)
	}
	return names, nil
}

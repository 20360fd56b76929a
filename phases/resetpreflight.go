package phases

import (
	"context"
	"fmt"

	"github.com/kubewright/kubewright/plan"
)

// preflightReset refuses, before anything is changed, what could cost a cluster its data.
func preflightReset() Phase {
	return Phase{
		Name: "preflight", Alias: "pre-flight", About: "Make sure that the node may go, and ask",
		Flags: []string{"dry-run", "force", "force-data-loss", "ignore-preflight-errors"},
		Steps: func(_ context.Context, f *Facts) ([]plan.Step, error) { return nil, f.mayLeaveEtcd() },
	}
}

// mayLeaveEtcd is why this machine's member of etcd has to stay. Where its phase is left out it stays anyway.
func (f *Facts) mayLeaveEtcd() error {
	e := f.Resetting.Etcd
	if e == nil || e.Standing.Refusal == nil || e.Regardless || f.Skips(removeEtcdMember().Name) {
		return nil
	}
	return fmt.Errorf("cannot reset this machine: %w\n"+
		"to reset it regardless, although the cluster may lose its data: --force-data-loss", e.Standing.Refusal)
}

package phases

import (
	"context"
	"fmt"

	"github.com/kubewright/kubewright/cause"
	"github.com/kubewright/kubewright/plan"
)

// preflightReset refuses, before anything is changed, what could cost a cluster its data.
func preflightReset() Phase {
	return Phase{
		Name: "preflight", Alias: "pre-flight", About: "Make sure that the node may go, and ask",
		Flags: []string{"dry-run", "force", "force-data-loss", "ignore-preflight-errors"},
		Steps: func(_ context.Context, f *Facts) ([]plan.Step, error) {
			if f.Lenient { // a dry run shows the plan, and this beside it
				return nil, nil
			}
			return nil, f.MayLeaveEtcd()
		},
	}
}

// MayLeaveEtcd is why this machine's member of etcd has to stay, or nil. Where its phase is left out it stays anyway.
func (f *Facts) MayLeaveEtcd() error {
	e := f.Resetting.Etcd
	if e == nil || e.Standing.Refusal == nil || e.Regardless || f.Skips(removeEtcdMember().Name) {
		return nil
	}
	return cause.Refused.Mark(fmt.Errorf("cannot reset this machine: %w\n"+
		"to reset it regardless, although the cluster may lose its data: --force-data-loss", e.Standing.Refusal))
}

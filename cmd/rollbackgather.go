package cmd

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/kubewright/kubewright/cause"
	"github.com/kubewright/kubewright/cluster"
	"github.com/kubewright/kubewright/config"
	"github.com/kubewright/kubewright/host"
	"github.com/kubewright/kubewright/phases"
	"github.com/kubewright/kubewright/plan"
)

// wayBack is what a rollback has found out.
type wayBack struct {
	session *session
	list    phases.Command
	group   []plan.PastRun
	// startedKubelet says that the runs have made this machine a node, or began to.
	startedKubelet bool
	// resumed says that an earlier rollback has begun with it, so that the cluster may be gone already.
	resumed  bool
	barrier  *plan.Record
	warnings []string
}

// lookBack finds out how to get back to where the machine was before the runs.
func (f *rollbackFlags) lookBack(ctx context.Context, env *Env, h *host.Host, group []plan.PastRun, resumed bool, out *reporter) (*wayBack, error) {
	rev, err := plan.Reverse(h, group)
	if err != nil {
		return nil, fmt.Errorf("cannot roll back: %w", err)
	}
	b := &wayBack{group: group, resumed: resumed, startedKubelet: startedKubelet(h, group)}
	b.list = phases.Rollback(b.startedKubelet)
	if b.startedKubelet {
		return b, f.lookBackOnNode(ctx, env, h, b, out)
	}
	b.barrier = rev.Barrier
	if rev.Barrier != nil {
		b.warnings = append(b.warnings, fmt.Sprintf("this stops at a point of no return: %s, of phase %s", rev.Barrier.Step, rev.Barrier.Phase))
	}
	if foreign := slices.DeleteFunc(rev.Foreign, rotated); len(foreign) > 0 {
		err := cause.Refused.Mark(fmt.Errorf("cannot roll back: others have changed %s since\n"+
			"move away what is there now, or put back what the run has left, and run rollback again", strings.Join(foreign, ", ")))
		if !f.dryRun {
			return nil, err
		}
		b.warnings = append(b.warnings, "a real run would stop here: "+err.Error())
	}
	socket, err := resetSocket(env, h, config.NewReset(), kubeletFlagsOnDisk(h))
	b.session = connect(ctx, env, h, socket)
	if err != nil {
		b.session.noRuntime = err
	}
	b.session.facts = &phases.Facts{
		Host: h, Runtime: b.session.target.Runtime, Now: h.Time(), Reversal: rev, AdminKubeconfig: config.AdminKubeconfig,
		Client: func(path string) (*cluster.Client, error) {
			data, err := h.ReadFile(path)
			if err != nil {
				return nil, fmt.Errorf("cannot talk to the cluster: %w", err)
			}
			return cluster.New(data, cluster.Options{Read: h.ReadFile, Dial: h.Dialer, Timeout: askTime, Patience: askTime})
		},
	}
	return b, nil
}

// rotated says that the kubelet itself changes a file.
func rotated(path string) bool { return strings.HasPrefix(path, config.KubeletDir+"/pki/") }

// startedKubelet says that these runs have started the kubelet on a machine that was no node.
func startedKubelet(h *host.Host, group []plan.PastRun) bool {
	origin := plan.OriginOf(group)
	unit := origin.Units[config.KubeletService]
	return unit != nil && ours(h, &phases.Resetting{Origin: origin, CertificatesDir: config.DefaultCertificatesDir}) && origin.Made(config.KubeletConfigFile)
}

// lookBackOnNode is lookBack where the kubelet and its pods have to end. What a reset knows to take back is taken back the same way,
// as far as these runs have made it.
func (f *rollbackFlags) lookBackOnNode(ctx context.Context, env *Env, h *host.Host, b *wayBack, out *reporter) error {
	r := &resetFlags{runFlags: f.runFlags, force: f.force, wipeEtcd: f.wipeEtcd, forceDataLoss: f.forceDataLoss, kubeconfig: config.AdminKubeconfig, only: b.group}
	c := config.NewReset()
	if err := c.SetDefaults(config.Dynamic{}); err != nil {
		return err
	}
	var err error
	if b.session, err = r.gather(ctx, env, h, c, pflag.NewFlagSet("", pflag.ContinueOnError), out); err != nil {
		return err
	}
	if err := cause.Refused.Mark(depended(ctx, b)); err != nil {
		if !f.dryRun {
			return err
		}
		b.warnings = append(b.warnings, "a real run would stop here: "+err.Error())
	}
	b.warnings = append(b.warnings, r.beforehand(b.session.facts)...)
	return nil
}

// depended refuses to end a cluster that others have joined: an init that came to its end is a point of no return for them.
func depended(ctx context.Context, b *wayBack) error {
	last := b.group[len(b.group)-1]
	r := b.session.facts.Resetting
	if b.resumed || last.Command != phases.Init().Name || last.Result() != plan.Finished {
		return nil
	}
	const instead = "\nto take this machine out of its cluster nevertheless, or to end the cluster: kubewright reset"
	if r.Cluster == nil {
		return fmt.Errorf("cannot roll back %s of %s: it came to its end, and its API server does not answer, so that nobody can tell who has joined since%s",
			last.Command, began(last), instead)
	}
	others, err := r.Cluster.OtherNodes(ctx, r.Node)
	if err != nil {
		return fmt.Errorf("cannot roll back %s of %s: %w%s", last.Command, began(last), err, instead)
	}
	if len(others) > 0 {
		return fmt.Errorf("cannot roll back %s of %s: the point of no return is passed, since %s joined%s",
			last.Command, began(last), strings.Join(others, ", "), instead)
	}
	return nil
}

// movedTo is where etcd's data is afterwards.
func (b *wayBack) movedTo() []string {
	if r := b.session.facts.Resetting; r != nil && r.Etcd != nil {
		return r.Etcd.MovedTo
	}
	return nil
}

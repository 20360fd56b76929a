package cmd

import (
	"context"
	"fmt"
	"path"
	"slices"
	"time"

	"github.com/kubewright/kubewright/cluster"
	"github.com/kubewright/kubewright/etcd"
	"github.com/kubewright/kubewright/phases"
	"github.com/kubewright/kubewright/plan"
)

// gatherControlPlane looks at etcd's members, and whether this machine can be one of them. What is seen here may change until the
// run has come so far: then it is looked at again, under a lock.
func (f *joinFlags) gatherControlPlane(ctx context.Context, s *session, list phases.Command, out *reporter) error {
	facts := s.facts
	if facts.Config.ExternalEtcd() || !f.talksToEtcd() {
		return nil
	}
	if facts.PKI.MissingShared() != nil {
		return nil // the phases that need them say so
	}
	admin, err := adminClient(facts)
	if err != nil {
		return err
	}
	if facts.Joining.Etcd, err = etcdClients(ctx, facts, admin); err != nil {
		return err
	}
	e, err := facts.Joining.Etcd(ctx)
	if err != nil {
		return err
	}
	defer e.Close()
	e.Progress = out.progress
	votes, err := lookAtMembers(ctx, s, e)
	if err == nil && votes && !f.dryRun { // a run that was killed right after the vote may have left the lock
		admin.ClearLock(ctx, "etcd", holder(facts.Config.Init.NodeRegistration.Name))
	}
	if err != nil || votes || !f.changesEtcd() || facts.Skips("etcd-join") && !facts.Named {
		return err
	}
	err = e.CanJoin(ctx, facts.Config.Init.NodeRegistration.Name, facts.Config.EtcdPeerURL(), facts.Joining.Replace)
	if f.dryRun {
		if err != nil {
			out.warn([]string{err.Error()})
		}
		return nil
	}
	// Pulling images takes long, and no other machine has to wait for it. But from when the kubelet starts, its API server waits for etcd.
	s.lateAt = []string{"check-etcd", "kubelet-start", "etcd-join"}
	s.late = func(ctx context.Context, rest plan.Plan) (plan.Plan, error) {
		return lockMembers(ctx, s, admin, list, rest, out)
	}
	return err
}

// lookAtMembers plans etcd's manifest for the members of now, and says whether this machine's has its vote already, and its data.
func lookAtMembers(ctx context.Context, s *session, e *etcd.Client) (votes bool, err error) {
	members, err := e.Members(ctx)
	if err != nil {
		return false, err
	}
	facts := s.facts
	name, peer := facts.Config.Init.NodeRegistration.Name, facts.Config.EtcdPeerURL()
	if facts.Joining.Replace {
		members = slices.DeleteFunc(members, etcd.Namesake(name, peer))
	}
	lost := phases.LostMember(ctx, facts, e, members)
	facts.Node.EtcdInitialCluster = phases.InitialCluster(s.host, members, lost, name, peer)
	return !lost && slices.ContainsFunc(members, func(m etcd.Member) bool {
		return m.Started() && !m.Learner && slices.Contains(m.PeerURLs, peer)
	}), nil
}

// lockMembers keeps other runs from changing etcd's members from here on, clears away what one that died has left, and returns the
// rest of the plan, for the members that there are now.
func lockMembers(ctx context.Context, s *session, admin *cluster.Client, list phases.Command, rest plan.Plan, out *reporter) (plan.Plan, error) {
	facts := s.facts
	var err error
	facts.Joining.Lock, err = admin.Lock(ctx, "etcd", holder(facts.Config.Init.NodeRegistration.Name),
		cluster.LockOptions{TTL: lockTTL, Alone: true, Progress: out.progress, Lost: s.lost})
	if err != nil {
		return plan.Plan{}, err
	}
	facts.Joining.Abandon = phases.Abandon(facts, s.target)
	e, err := facts.Joining.Etcd(ctx)
	if err != nil {
		return plan.Plan{}, err
	}
	defer e.Close()
	e.Progress, e.Guard = out.progress, facts.Joining.Lock.Check
	done, err := e.ClearWay(ctx, facts.Config.EtcdPeerURL(), strangersTime)
	if err != nil {
		return plan.Plan{}, err
	}
	if done != "" {
		out.warn([]string{done})
	}
	before := facts.Node.EtcdInitialCluster
	if _, err := lookAtMembers(ctx, s, e); err != nil || slices.Equal(before, facts.Node.EtcdInitialCluster) {
		return rest, err
	}
	facts.Preflight = nil // the machine was checked
	p, err := list.Plan(ctx, facts)
	if err != nil {
		return plan.Plan{}, err
	}
	_, rest = p.Cut(s.lateAt...)
	return rest, nil
}

const (
	// lockTTL is how long others wait for a run that was killed; strangersTime how long for a join that takes no lock, as kubeadm's,
	// to start its member of etcd.
	lockTTL       = 30 * time.Second
	strangersTime = time.Minute
)

func (f *joinFlags) changesEtcd() bool { return f.phase == "" || f.phase == "etcd-join" }

// talksToEtcd says whether a phase that is run has to do with etcd.
func (f *joinFlags) talksToEtcd() bool { return f.changesEtcd() || f.phase == "check-etcd" }

// etcdClients connects to the members of etcd, which are found by the annotations of their static pods.
func etcdClients(ctx context.Context, facts *phases.Facts, admin *cluster.Client) (func(context.Context) (*etcd.Client, error), error) {
	const row = "etcd-healthcheck-client"
	files, err := facts.PKI.Files(row)
	if err != nil {
		return nil, err
	}
	var cert, key []byte
	for _, file := range files {
		if path.Ext(file.Path) == ".key" {
			key = file.Data
		} else {
			cert = file.Data
		}
	}
	ca := facts.PKI.Data(path.Join(facts.Config.Cluster.CertificatesDir, "etcd/ca.crt"))
	seeds, err := admin.EtcdEndpoints(ctx)
	if err != nil {
		return nil, err
	}
	if len(seeds) == 0 {
		return nil, fmt.Errorf("cannot find the members of etcd: no pod in kube-system has the label component=etcd and the annotation %s",
			cluster.EtcdEndpointAnnotation)
	}
	return func(ctx context.Context) (*etcd.Client, error) { return etcd.OpenCluster(ctx, seeds, ca, cert, key) }, nil
}

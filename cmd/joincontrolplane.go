package cmd

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/kubewright/kubewright/cluster"
	"github.com/kubewright/kubewright/etcd"
	"github.com/kubewright/kubewright/phases"
)

// gatherControlPlane looks at etcd's members. While this run changes them, a lock in the cluster keeps other runs from it.
func (f *joinFlags) gatherControlPlane(ctx context.Context, s *session, out *reporter) error {
	facts := s.facts
	if facts.Config.ExternalEtcd() || !f.talksToEtcd() {
		return nil
	}
	if missing := facts.PKI.MissingShared(); missing != nil { // the phase that needs them says so, unless it is left out
		facts.Joining.Etcd = func(context.Context) (*etcd.Client, error) {
			return nil, fmt.Errorf("cannot talk to etcd: these files, which all control-plane nodes share, are not here:\n  %s", strings.Join(missing, "\n  "))
		}
		return nil
	}
	admin, err := adminClient(facts)
	if err != nil {
		return err
	}
	facts.Joining.Etcd, err = etcdClients(ctx, facts, admin)
	if err != nil {
		return err
	}
	e, err := facts.Joining.Etcd(ctx)
	if err != nil {
		return err
	}
	defer e.Close()
	e.Progress = out.progress
	members, err := e.Members(ctx)
	if err != nil {
		return err
	}
	name, peer := facts.Config.Init.NodeRegistration.Name, facts.Config.EtcdPeerURL()
	votes := slices.ContainsFunc(members, func(m etcd.Member) bool {
		return m.Started() && !m.Learner && slices.Contains(m.PeerURLs, peer)
	})
	if !votes && !f.dryRun && f.changesEtcd() && !facts.Skips("etcd-join") {
		// From here on no other run of ours changes the members, so that the manifest that is planned names those there will be.
		unlock, err := admin.Lock(ctx, "etcd", holder(facts.Config), cluster.LockOptions{TTL: lockTTL, Alone: true, Progress: out.progress, Lost: s.lost})
		if err != nil {
			return err
		}
		s.unlock, facts.Joining.Release = unlock, unlock
		done, err := e.ClearWay(ctx, peer, strangersTime)
		if err != nil {
			return err
		}
		if done != "" {
			out.warn([]string{done})
		}
		if err := e.CanJoin(ctx, name, peer); err != nil {
			return err
		}
		if members, err = e.Members(ctx); err != nil {
			return err
		}
	}
	facts.Node.EtcdInitialCluster = phases.InitialCluster(s.host, members, phases.LostMember(ctx, facts, e, members), name, peer)
	return nil
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

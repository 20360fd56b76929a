package phases

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/kubewright/kubewright/cluster"
	"github.com/kubewright/kubewright/config"
	"github.com/kubewright/kubewright/etcd"
	"github.com/kubewright/kubewright/host"
	"github.com/kubewright/kubewright/manifests"
	"github.com/kubewright/kubewright/plan"
)

// checkEtcd makes sure that etcd can lose a vote for a moment, before anything about this node depends on it.
func checkEtcd() Phase {
	return Phase{
		Name: "check-etcd", About: "Check that etcd is healthy", Flags: joinFlags(),
		Steps: func(_ context.Context, f *Facts) ([]plan.Step, error) {
			if !f.joinsEtcd() {
				return nil, nil
			}
			return []plan.Step{plan.Wait{
				For: "etcd has a healthy quorum", Stall: 30 * time.Second,
				Probe: func(ctx context.Context, _ *plan.Target) error {
					return withEtcd(ctx, f, func(e *etcd.Client) error { return e.Quorum(ctx) })
				},
			}}, nil
		},
	}
}

// etcdJoin makes this machine a member of etcd: first without a vote, then started, then with one.
func etcdJoin() Phase {
	return Phase{
		Name: "etcd-join", About: "Join etcd as a member", Flags: joinFlags(),
		Steps: func(_ context.Context, f *Facts) ([]plan.Step, error) {
			if !f.joinsEtcd() {
				return nil, nil
			}
			pod, err := staticPod(f, config.Etcd, manifests.Etcd)
			if err != nil {
				return nil, err
			}
			steps := []plan.Step{plan.File{Path: f.Config.Cluster.Etcd.Local.DataDir, Dir: true, Mode: 0o700}, addMember(f)}
			return append(append(steps, pod...), promoteMember(f)), nil
		},
	}
}

// addMember adds this machine as a learner. The manifest after it names all members, as they were when the plan was made.
func addMember(f *Facts) plan.Step {
	peer := f.Config.EtcdPeerURL()
	return plan.Do{
		Name: "add etcd member " + f.Config.Init.NodeRegistration.Name + " at " + peer,
		Done: func(ctx context.Context, _ *plan.Target) (done bool, err error) {
			err = withEtcd(ctx, f, func(e *etcd.Client) error {
				members, err := e.Members(ctx)
				own := slices.IndexFunc(members, at(peer))
				done = own >= 0 && !lost(f, members[own])
				return err
			})
			return done, err
		},
		Run: func(ctx context.Context, t *plan.Target) error {
			return withEtcd(ctx, f, func(e *etcd.Client) error {
				e.Progress = t.Progress
				if err := leaveLost(ctx, f, e, peer); err != nil {
					return err
				}
				members, err := e.Join(ctx, f.Config.Init.NodeRegistration.Name, peer)
				if err != nil {
					return err
				}
				if got := EtcdMembers(members); !slices.Equal(got, f.Node.EtcdInitialCluster) {
					return fmt.Errorf("cannot join etcd: its members changed meanwhile, from %v to %v", f.Node.EtcdInitialCluster, got)
				}
				return nil
			})
		},
	}
}

func at(peerURL string) func(etcd.Member) bool {
	return func(m etcd.Member) bool { return slices.Contains(m.PeerURLs, peerURL) }
}

// lost says that a member of this machine has run before, but that its data is gone: it can't start again as that member.
func lost(f *Facts, m etcd.Member) bool {
	return m.Started() && !f.Host.Exists(filepath.Join(f.Config.Cluster.Etcd.Local.DataDir, "member"))
}

// leaveLost takes such a member out, so that this machine can be another one.
func leaveLost(ctx context.Context, f *Facts, e *etcd.Client, peer string) error {
	members, err := e.Members(ctx)
	if err != nil {
		return err
	}
	if own := slices.IndexFunc(members, at(peer)); own >= 0 && lost(f, members[own]) {
		return e.Leave(ctx, peer)
	}
	return nil
}

// promoteMember waits until the learner has the data, and gives it its vote.
func promoteMember(f *Facts) plan.Step {
	peer := f.Config.EtcdPeerURL()
	return plan.Do{
		Name: "give etcd member " + f.Config.Init.NodeRegistration.Name + " its vote",
		Done: func(ctx context.Context, _ *plan.Target) (done bool, err error) {
			err = withEtcd(ctx, f, func(e *etcd.Client) error {
				members, err := e.Members(ctx)
				done = slices.ContainsFunc(members, func(m etcd.Member) bool {
					return at(peer)(m) && m.Started() && !m.Learner
				})
				return err
			})
			return done, err
		},
		Run: func(ctx context.Context, t *plan.Target) error {
			progress := func(status string) {
				if t.Runtime != nil {
					if v := cluster.Diagnose(ctx, t.Runtime, config.Etcd, f.Now); v.Summary != "" {
						status = v.Summary
					}
				}
				if t.Progress != nil {
					t.Progress(status)
				}
			}
			return withEtcd(ctx, f, func(e *etcd.Client) error { return e.Promote(ctx, peer, progress) })
		},
	}
}

// withEtcd opens a connection to the members that are there, for one question.
func withEtcd(ctx context.Context, f *Facts, ask func(*etcd.Client) error) error {
	e, err := f.Joining.Etcd(ctx)
	if err != nil {
		return err
	}
	defer e.Close()
	return ask(e)
}

// EtcdMembers is a list of members as etcd's manifest names them, by address: etcd's own order changes when one is added.
// One that has never started has no name yet; any will do.
func EtcdMembers(members []etcd.Member) []manifests.EtcdMember {
	var list []manifests.EtcdMember
	for _, m := range members {
		name := m.Name
		if name == "" {
			name = strconv.FormatUint(m.ID, 16)
		}
		for _, url := range m.PeerURLs {
			list = append(list, manifests.EtcdMember{Name: name, PeerURL: url})
		}
	}
	return byAddress(list)
}

func byAddress(list []manifests.EtcdMember) []manifests.EtcdMember {
	slices.SortFunc(list, func(a, b manifests.EtcdMember) int { return strings.Compare(a.PeerURL, b.PeerURL) })
	return list
}

// InitialCluster is what the etcd of a joining node is told about its members: those that are there and itself. A member that
// has started keeps what its manifest says, because etcd does not read it again.
func InitialCluster(h *host.Host, members []etcd.Member, name, peerURL string) []manifests.EtcdMember {
	own := slices.IndexFunc(members, at(peerURL))
	if own >= 0 && members[own].Started() {
		if kept := initialClusterOnDisk(h); kept != nil {
			return kept
		}
	}
	list := EtcdMembers(members)
	if own < 0 {
		return byAddress(append(list, manifests.EtcdMember{Name: name, PeerURL: peerURL}))
	}
	for i := range list {
		if list[i].PeerURL == peerURL {
			list[i].Name = name
		}
	}
	return list
}

func initialClusterOnDisk(h *host.Host) []manifests.EtcdMember {
	data, err := h.ReadFile(manifestPath(config.Etcd))
	if err != nil {
		return nil
	}
	pod := &corev1.Pod{}
	if yaml.Unmarshal(data, pod) != nil || len(pod.Spec.Containers) == 0 {
		return nil
	}
	existing := false
	var list []manifests.EtcdMember
	for _, arg := range pod.Spec.Containers[0].Command {
		if arg == "--initial-cluster-state=existing" {
			existing = true
		}
		text, ok := strings.CutPrefix(arg, "--initial-cluster=")
		if !ok {
			continue
		}
		for _, member := range strings.Split(text, ",") {
			if name, url, ok := strings.Cut(member, "="); ok {
				list = append(list, manifests.EtcdMember{Name: name, PeerURL: url})
			}
		}
	}
	if !existing {
		return nil
	}
	return list
}

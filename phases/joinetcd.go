package phases

import (
	"context"
	"errors"
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
				For: "etcd has a healthy quorum", Stall: 30 * time.Second, Remote: true,
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
			steps := []plan.Step{setAside(f), plan.File{Path: etcdDataDir(f), Dir: true, Mode: 0o700}, addMember(f)}
			return append(append(steps, pod...), promoteMember(f)), nil
		},
	}
}

// etcdDataDir is where etcd's data is: its flag may have been given by hand.
func etcdDataDir(f *Facts) string {
	local := f.Config.Cluster.Etcd.Local
	if dir, ok := config.ArgValue(local.ExtraArgs, "data-dir"); ok {
		return dir
	}
	return local.DataDir
}

// setAside makes room for a new member where the data of one is that the cluster does not have any more: etcd would not start
// with it. It is renamed, not removed.
func setAside(f *Facts) plan.Step {
	peer, old := f.Config.EtcdPeerURL(), filepath.Join(etcdDataDir(f), "member")
	return plan.Do{
		Name: "set aside the data of an etcd member that was removed from the cluster",
		Done: func(ctx context.Context, _ *plan.Target) (done bool, err error) {
			if !f.Host.Exists(old) {
				return true, nil
			}
			err = withEtcd(ctx, f, func(e *etcd.Client) error {
				members, err := e.Members(ctx)
				done = slices.ContainsFunc(members, at(peer))
				return err
			})
			return done, err
		},
		Run: func(ctx context.Context, t *plan.Target) error {
			if err := stopEtcd(ctx, t); err != nil {
				return err
			}
			return t.Host.Rename(old, "member.removed-"+f.Now.UTC().Format("20060102T150405Z"))
		},
	}
}

// stopEtcd takes etcd's manifest away and ends its pod.
func stopEtcd(ctx context.Context, t *plan.Target) error {
	if err := t.Host.Remove(manifestPath(config.Etcd)); err != nil {
		return err
	}
	if t.Runtime == nil {
		return nil
	}
	pods, err := t.Runtime.StaticPods(ctx)
	if err != nil {
		return err
	}
	for _, pod := range pods {
		if strings.HasPrefix(pod.Name, config.Etcd+"-") {
			if err := t.Runtime.RemovePod(ctx, pod.ID); err != nil {
				return err
			}
		}
	}
	return nil
}

// addMember adds this machine as a learner. The manifest after it names all members, as they were when the plan was made; when
// they have changed meanwhile, nobody is added.
func addMember(f *Facts) plan.Step {
	peer := f.Config.EtcdPeerURL()
	name := f.Config.Init.NodeRegistration.Name
	return plan.Do{
		Name: "add etcd member " + name + " at " + peer,
		Done: func(ctx context.Context, _ *plan.Target) (done bool, err error) {
			err = withEtcd(ctx, f, func(e *etcd.Client) error {
				members, err := e.Members(ctx)
				own := slices.IndexFunc(members, at(peer))
				done = own >= 0 && !lost(ctx, f, e, members[own])
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
				members, err := e.Members(ctx)
				if err != nil {
					return err
				}
				if err := unchanged(f, InitialCluster(f.Host, members, false, name, peer)); err != nil {
					return err
				}
				if members, err = e.Join(ctx, name, peer); err != nil {
					return err
				}
				if err := unchanged(f, EtcdMembers(members)); err != nil {
					return errors.Join(err, giveUp(ctx, e, peer))
				}
				return nil
			})
		},
	}
}

func unchanged(f *Facts, now []manifests.EtcdMember) error {
	if !slices.Equal(now, f.Node.EtcdInitialCluster) {
		return fmt.Errorf("cannot join etcd: its members changed meanwhile, from %v to %v", f.Node.EtcdInitialCluster, now)
	}
	return nil
}

// giveUp takes a member away that has never started: it would keep all others from joining. The end of the run is no reason
// to leave it.
func giveUp(ctx context.Context, e *etcd.Client, peer string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 15*time.Second)
	defer cancel()
	members, err := e.Members(ctx)
	if err != nil {
		return err
	}
	if own := slices.IndexFunc(members, at(peer)); own < 0 || members[own].Started() {
		return nil // join again goes on from there
	}
	return e.RemoveStale(ctx, peer)
}

func at(peerURL string) func(etcd.Member) bool {
	return func(m etcd.Member) bool { return slices.Contains(m.PeerURLs, peerURL) }
}

// lost says that a member of this machine has run before, but that its data is gone: it can't start again as that member. One
// that answers has its data, wherever that is.
func lost(ctx context.Context, f *Facts, e *etcd.Client, m etcd.Member) bool {
	return m.Started() && !f.Host.Exists(filepath.Join(etcdDataDir(f), "member")) && !e.Works(ctx, m)
}

// leaveLost takes such a member out, so that this machine can be another one.
func leaveLost(ctx context.Context, f *Facts, e *etcd.Client, peer string) error {
	members, err := e.Members(ctx)
	if err != nil {
		return err
	}
	if own := slices.IndexFunc(members, at(peer)); own >= 0 && lost(ctx, f, e, members[own]) {
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
			ctx, cancel := context.WithCancelCause(ctx)
			defer cancel(nil)
			history := cluster.NewHistory(f.Now)
			progress := func(status string) {
				if t.Runtime != nil {
					v := history.Look(ctx, t.Runtime, manifestTimes(t), config.Etcd)[0]
					if v.Summary != "" {
						status += ": " + v.Summary
					}
					if v.Fatal {
						cancel(fmt.Errorf("%s%s", v.Summary, quoted(v.Log)))
					}
				}
				if t.Progress != nil {
					t.Progress(status)
				}
			}
			return withEtcd(ctx, f, func(e *etcd.Client) error {
				err := e.Promote(ctx, peer, progress)
				if err == nil {
					f.Joining.release()
					return nil
				}
				return errors.Join(err, giveUp(ctx, e, peer))
			})
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
	e.Patience = stall(f.Config, func(t *config.Timeouts) timeout { return t.EtcdAPICall })
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

// LostMember says that this machine's member is to be replaced by another one: it has run, its data is gone, and nobody answers.
func LostMember(ctx context.Context, f *Facts, e *etcd.Client, members []etcd.Member) bool {
	own := slices.IndexFunc(members, at(f.Config.EtcdPeerURL()))
	return own >= 0 && lost(ctx, f, e, members[own])
}

// InitialCluster is what the etcd of a joining node is told about its members: those that are there and itself. A member that
// has started, and is not lost, keeps what its manifest says, because etcd does not read it again.
func InitialCluster(h *host.Host, members []etcd.Member, lost bool, name, peerURL string) []manifests.EtcdMember {
	own := slices.IndexFunc(members, at(peerURL))
	if own >= 0 && members[own].Started() && !lost {
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

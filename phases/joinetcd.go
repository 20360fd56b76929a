package phases

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kubewright/kubewright/config"
	"github.com/kubewright/kubewright/etcd"
	"github.com/kubewright/kubewright/manifests"
	"github.com/kubewright/kubewright/plan"
)

// checkEtcd makes sure that etcd can lose a vote for a moment, before anything about this node depends on it.
func checkEtcd() Phase {
	return Phase{
		Name: "check-etcd", Ours: true, About: "Check that etcd is healthy", Flags: joinFlags(),
		Steps: func(_ context.Context, f *Facts) ([]plan.Step, error) {
			if !f.joinsEtcd() {
				return nil, nil
			}
			if err := needShared(f, "talk to etcd"); err != nil {
				return nil, err
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
		Name: "etcd-join", About: "Join etcd as a member", Flags: joinFlags("replace-node"),
		Steps: func(_ context.Context, f *Facts) ([]plan.Step, error) {
			if !f.joinsEtcd() {
				return nil, nil
			}
			if err := needShared(f, "join etcd"); err != nil {
				return nil, err
			}
			pod, err := staticPod(f, config.Etcd, manifests.Etcd)
			if err != nil {
				return nil, err
			}
			data := cmp.Or(etcdDataDir(f), f.Config.Cluster.Etcd.Local.DataDir)
			steps := []plan.Step{setAside(f), plan.File{Path: data, Dir: true, Mode: 0o700}}
			if f.Joining.Replace {
				steps = append(steps, replaceMember(f))
			}
			steps = append(steps, addMember(f))
			steps = append(append(steps, pod...), promoteMember(f))
			if !f.etcdFirst() || f.Skips("control-plane-prepare") || f.Skips("control-plane-prepare/control-plane") {
				return steps, nil
			}
			components, err := joinedComponents(f)
			return append(steps, components...), err
		},
	}
}

// replaceMember removes the member of the dead machine whose name this one takes. The Node that is left of it needs nothing: the
// kubelet makes it its own, and the taints of an unreachable node go once it reports.
func replaceMember(f *Facts) plan.Step {
	name, peer := f.Config.Init.NodeRegistration.Name, f.Config.EtcdPeerURL()
	return plan.Do{
		Name: "remove the etcd member " + name + " of the machine that is replaced",
		Done: func(ctx context.Context, _ *plan.Target) (done bool, err error) {
			err = withEtcd(ctx, f, func(e *etcd.Client) error {
				members, err := e.Members(ctx)
				done = !slices.ContainsFunc(members, etcd.Namesake(name, peer))
				return err
			})
			return done, err
		},
		Run: func(ctx context.Context, t *plan.Target) error {
			return withEtcd(ctx, f, func(e *etcd.Client) error {
				e.Progress = t.Progress
				return e.RemoveDead(ctx, name, peer)
			})
		},
	}
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
				return unchanged(f, EtcdMembers(members))
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

func at(peerURL string) func(etcd.Member) bool {
	return func(m etcd.Member) bool { return slices.Contains(m.PeerURLs, peerURL) }
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
			var told atomic.Pointer[string]
			var looking sync.WaitGroup
			looking.Go(func() { lookAtMember(ctx, f, t, &told, cancel) })
			err := withEtcd(ctx, f, func(e *etcd.Client) error {
				letServe(ctx, t, e, peer)
				return e.Promote(ctx, peer, func(status string) { told.Store(&status) })
			})
			cancel(nil)
			looking.Wait()
			if err == nil {
				f.Joining.Lock.Unlock()
				f.Joining.Abandon = nil
			}
			return err
		},
	}
}

// lookAtMember tells how this machine's etcd is doing, once a second, until ctx ends or it ends again and again: that ends the run,
// with its last words.
func lookAtMember(ctx context.Context, f *Facts, t *plan.Target, told *atomic.Pointer[string], giveUp context.CancelCauseFunc) {
	looks := newLooker(f)
	for shown := ""; ; {
		status := ""
		if s := told.Load(); s != nil {
			status = *s
		}
		if t.Runtime != nil {
			v := looks.look(ctx, t, config.Etcd)[0]
			if v.Fatal {
				giveUp(fmt.Errorf("%s%s", v.Summary, quoted(v.Log, v.Hint)))
				return
			}
			status = together(status, v.Summary)
		}
		if status != shown && t.Progress != nil && ctx.Err() == nil {
			shown = status
			t.Progress(status)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Second):
		}
	}
}

// Abandon takes this machine's member away when a run does not come to its end: one that has never started would keep all others
// from joining. One that has started is left: join again goes on from there. The end of the run is no reason to leave it.
func Abandon(f *Facts, t *plan.Target) func(context.Context) (done string, err error) {
	peer := f.Config.EtcdPeerURL()
	return func(ctx context.Context) (done string, err error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abandonTime)
		defer cancel()
		err = withEtcd(ctx, f, func(e *etcd.Client) error {
			e.Guard = nil // it is our own, and nobody else's, whoever has the lock now
			stale := func() (bool, error) {
				members, err := e.Members(ctx)
				return slices.ContainsFunc(members, func(m etcd.Member) bool { return at(peer)(m) && !m.Started() }), err
			}
			if never, err := stale(); err != nil || !never {
				return err
			}
			if err := stopEtcd(ctx, t); err != nil { // so that it does not start just now
				return err
			}
			if never, err := stale(); err != nil || !never {
				return err
			}
			if err := e.RemoveStale(ctx, peer); err != nil {
				return err
			}
			done = "the etcd member that was added for this machine, and never started, is taken away again"
			return nil
		})
		if err != nil {
			err = fmt.Errorf("cannot take the etcd member of this machine away, which may keep others from joining: %w\nrun the same command again", err)
		}
		return done, err
	}
}

// abandonTime bounds it. Somebody may have pressed Ctrl-C and wait.
const abandonTime = 40 * time.Second

// withEtcd opens a connection to the members that are there, for one question, or for a change while the lock is held.
// The error of one that was stopped says why.
func withEtcd(ctx context.Context, f *Facts, ask func(*etcd.Client) error) error {
	err := askEtcd(ctx, f, ask)
	if cause := context.Cause(ctx); err != nil && cause != nil && !errors.Is(err, cause) {
		return cause
	}
	return err
}

func askEtcd(ctx context.Context, f *Facts, ask func(*etcd.Client) error) error {
	e, err := f.Joining.Etcd(ctx)
	if err != nil {
		return err
	}
	defer e.Close()
	e.Guard = f.Joining.Lock.Check
	e.Patience = stall(f.Config, func(t *config.Timeouts) timeout { return t.EtcdAPICall })
	return ask(e)
}

package phases

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kubewright/kubewright/config"
	"github.com/kubewright/kubewright/host"
	"github.com/kubewright/kubewright/plan"
)

// removeEtcdMember takes this machine's member out of etcd's cluster and moves its data aside. What fails here ends the run: etcd's
// data is not touched on a doubt. Where somebody else runs etcd, nothing is to do.
func removeEtcdMember() Phase {
	return Phase{
		Name: "remove-etcd-member", About: "Leave etcd's cluster, and move the data of the member aside",
		Flags: []string{"dry-run", "force-data-loss", "kubeconfig", "wipe-etcd"},
		Steps: func(_ context.Context, f *Facts) ([]plan.Step, error) {
			e := f.Resetting.Etcd
			if e == nil {
				return nil, nil
			}
			if err := f.MayLeaveEtcd(); err != nil && !f.Lenient {
				return nil, err
			}
			var steps []plan.Step
			if s := e.Standing; s.Self != nil && !s.Last() && s.Refusal == nil {
				steps = append(steps, leaveEtcd(f, e))
			}
			if f.Runtime != nil {
				steps = append(steps, endAPIServer())
			}
			steps = append(steps, endEtcd(e))
			for _, dir := range e.DataDirs {
				steps = append(steps, takeAway(f, e, dir))
			}
			// Now, because as long as it is there, the next run asks the others, for which it needs the keys.
			return append(steps, plan.Gone(manifestPath(config.Etcd))), nil
		},
	}
}

// leaveEtcd takes the member out, under the lock that joins take, too: who joins is told which members there are.
func leaveEtcd(f *Facts, e *EtcdMember) plan.Step {
	return plan.Do{
		Name: "remove " + e.Standing.Self.String(),
		Done: func(ctx context.Context, _ *plan.Target) (bool, error) { return e.Gone(ctx) },
		Run: func(ctx context.Context, t *plan.Target) error {
			progress := func(status string) {
				if t.Progress != nil {
					t.Progress(status)
				}
			}
			unlock, err := e.Lock(ctx, progress)
			if err != nil && t.Warn != nil {
				t.Warn(err.Error())
			}
			defer unlock()
			if f.Runtime != nil {
				if err := endAPIServer().Run(ctx, t); err != nil && t.Warn != nil {
					t.Warn(err.Error())
				}
			}
			return e.Leave(ctx, progress)
		},
	}
}

// endAPIServer ends this machine's API server before its etcd goes, and keeps the kubelet from starting it again. Its clients, and a
// load balancer, are to see at once that it is gone: without etcd it would let them wait. And etcd would wait for it.
func endAPIServer() plan.Do {
	pods := endPods("end the API server of this machine", ofComponent(config.APIServer))
	step := pods
	step.Optional = true // a courtesy to the others
	step.Run = func(ctx context.Context, t *plan.Target) error {
		if t.Systemd != nil {
			if err := t.Systemd.Stop(ctx, config.KubeletService); err != nil {
				return err
			}
		}
		return pods.Run(ctx, t)
	}
	return step
}

// endEtcd ends the static pod of etcd, and keeps the kubelet from starting it again.
func endEtcd(e *EtcdMember) plan.Step {
	return plan.Do{
		Name: "end etcd",
		Done: func(ctx context.Context, t *plan.Target) (bool, error) {
			if t.Runtime != nil {
				pods, err := t.Runtime.KubeletPods(ctx)
				if err != nil || slices.ContainsFunc(pods, ofComponent(config.Etcd)) {
					return false, err
				}
			}
			running, err := e.Running()
			return !running, err
		},
		Run: func(ctx context.Context, t *plan.Target) error {
			if t.Systemd == nil || t.Systemd.Stop(ctx, config.KubeletService) != nil { // it will take the pod for gone when its manifest is
				return stopEtcd(ctx, t)
			}
			if t.Runtime == nil { // what is left of the kubelet's pods has to end one way or another
				return killPods(ctx, t)
			}
			return endPods("end etcd", ofComponent(config.Etcd)).Apply(ctx, t)
		},
	}
}

// ofComponent says of a pod whether it is the static pod of a control-plane component.
func ofComponent(component string) func(host.Pod) bool {
	return func(p host.Pod) bool {
		return p.Static && p.Namespace == "kube-system" && strings.HasPrefix(p.Name, component+"-")
	}
}

// takeAway moves the data of a member aside, or deletes it. Where it is a disk of its own, or a link to one, that stays.
func takeAway(f *Facts, e *EtcdMember, dir string) plan.Step {
	fixed := isLink(f.Host, dir) || isMountPoint(f.Host, dir)
	before := f.Resetting.Ours && f.Resetting.keepsDir(dir)
	if e.Wipe {
		step := plan.File{Path: dir, Absent: true, Extent: plan.Everything, Why: "etcd's data, which --wipe-etcd deletes"}
		if fixed || before {
			step.Extent = plan.Content
		}
		return step
	}
	at := "reset-" + f.Now.UTC().Format("20060102T150405Z")
	from, name := dir, filepath.Base(dir)+"."+at
	if fixed {
		from, name = filepath.Join(dir, "member"), "member."+at
	}
	to := filepath.Join(filepath.Dir(from), name)
	e.MovedTo = append(e.MovedTo, to)
	return plan.Do{
		Name: fmt.Sprintf("move etcd's data in %s to %s", from, to),
		Done: func(_ context.Context, t *plan.Target) (bool, error) {
			names, err := t.Host.ReadDir(from)
			if errors.Is(err, fs.ErrNotExist) {
				err = nil
			}
			return len(names) == 0, err // an empty directory holds no data; it goes, or stays, like others
		},
		Run: func(_ context.Context, t *plan.Target) error {
			if running, err := e.Running(); err != nil || running {
				return errors.Join(err, errors.New("cannot move etcd's data: etcd still runs"))
			}
			info, err := t.Host.Stat(from)
			if err == nil {
				err = t.Host.Rename(from, name)
			}
			if err == nil && before && !fixed {
				err = t.Host.MkdirAll(dir, info.Mode.Perm())
			}
			return err
		},
	}
}

func isLink(h *host.Host, path string) bool {
	info, err := h.Stat(path)
	return err == nil && info.Link != ""
}

// isMountPoint says that something is mounted there, or that this can't be told.
func isMountPoint(h *host.Host, path string) bool {
	mounts, err := h.MountsBelow(filepath.Dir(path))
	return err != nil || slices.ContainsFunc(mounts, func(m host.Mount) bool { return m.Path == path })
}

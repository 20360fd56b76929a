package phases

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/kubewright/kubewright/config"
	"github.com/kubewright/kubewright/host"
	"github.com/kubewright/kubewright/host/network"
	"github.com/kubewright/kubewright/plan"
)

// cniConfig is where the configuration of the pod network is.
const cniConfig = "/etc/cni/net.d"

// kubepods is the unit of the kubelet's cgroups where systemd keeps them.
const kubepods = "kubepods.slice"

// cleanupNode takes back what init or join, the kubelet and kube-proxy have made of the machine. Keys go before what tells whose
// they are, so that a run which was interrupted can be repeated.
func cleanupNode() Phase {
	return Phase{
		Name: "cleanup-node", Alias: "cleanupnode", About: "Take back what was made of this machine", KeepGoing: true,
		Flags: []string{"cert-dir", "cleanup-tmp-dir", "cni", "cri-socket", "dry-run"},
		Steps: func(_ context.Context, f *Facts) ([]plan.Step, error) {
			r := f.Resetting
			steps := []plan.Step{kubeletEnded(f), endAllPods(f), endCgroups(r), unmount(r)}
			steps = append(steps, keysOf(f)...)
			steps = append(steps, filesOf(f)...)
			return append(steps, networkOf(r)...), nil
		},
	}
}

// kubeletEnded stops the kubelet. It starts at boot no more where it did not before, or where its unit is ours.
func kubeletEnded(f *Facts) plan.Step {
	return plan.Unit{Name: config.KubeletService, Disabled: disabled(f)}
}

func disabled(f *Facts) bool {
	before := f.Resetting.Origin.Units[config.KubeletService]
	return ownFile(f, config.KubeletUnitFile) || before != nil && !before.Enabled
}

// endAllPods ends every pod of the kubelet. Without a runtime to ask, that is a failure only where there is a sign of pods.
func endAllPods(f *Facts) plan.Step {
	all := endPods("end all pods of the kubelet", func(host.Pod) bool { return true })
	if f.Runtime != nil {
		return all
	}
	r := f.Resetting
	all.Left = func(_ context.Context, t *plan.Target) ([]string, error) {
		dirs, err := t.Host.KubepodsCgroups()
		if pods, dirErr := t.Host.ReadDir(r.KubeletDir + "/pods"); err != nil || len(dirs) == 0 && (dirErr != nil || len(pods) == 0) {
			return nil, err
		}
		return nil, fmt.Errorf("cannot remove the pods of the kubelet: %w\n"+
			"their processes are ended; when the runtime is back, run reset again", r.NoRuntime)
	}
	return all
}

// endCgroups removes the cgroups in which the kubelet kept its pods, and ends what still runs there when no runtime could do so.
func endCgroups(r *Resetting) plan.Step {
	return plan.Do{
		Name: "remove the cgroups of the kubelet's pods",
		Left: func(_ context.Context, t *plan.Target) ([]string, error) { return t.Host.KubepodsCgroups() },
		Run: func(ctx context.Context, t *plan.Target) error {
			end := lastProcesses
			if t.Runtime == nil {
				end = killPods
			}
			if err := end(ctx, t); err != nil {
				return err
			}
			if t.Systemd != nil {
				if u, err := t.Systemd.Unit(ctx, kubepods); err == nil && u.ActiveState == "active" {
					if err := t.Systemd.Stop(ctx, kubepods); err != nil {
						return err
					}
				}
			}
			dirs, err := t.Host.KubepodsCgroups()
			if err != nil {
				return err
			}
			return t.Host.RemoveCgroups(dirs)
		},
	}
}

// lastProcesses waits until the last processes of pods that have ended are gone, and ends those of which the runtime does not know any
// more, as after it was killed in the middle of its work; runc may have left them frozen. With cgroup version 1 systemd is not told
// when a cgroup becomes empty, and waits for a minute and a half for a process that it saw when it began to stop the slice.
func lastProcesses(ctx context.Context, t *plan.Target) error {
	const most, pause = 5 * time.Second, 50 * time.Millisecond
	for waited := time.Duration(0); waited < most; waited += pause {
		dirs, err := t.Host.KubepodsCgroups()
		if err != nil {
			return err
		}
		if pids, err := t.Host.CgroupProcesses(dirs); err != nil || len(pids) == 0 {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(pause):
		}
	}
	return killPods(ctx, t)
}

// killPods ends all processes of the kubelet's pods.
func killPods(ctx context.Context, t *plan.Target) error {
	dirs, err := t.Host.KubepodsCgroups()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	return t.Host.KillCgroup(ctx, dirs)
}

// unmount takes away what is mounted below the kubelet's directory: volumes of pods. What is behind a mount stays as it is.
func unmount(r *Resetting) plan.Step {
	return plan.Do{
		Name: "unmount what is below " + r.KubeletDir,
		Left: func(_ context.Context, t *plan.Target) ([]string, error) {
			mounts, err := t.Host.MountsBelow(r.KubeletDir)
			paths := make([]string, 0, len(mounts))
			for _, m := range mounts {
				paths = append(paths, m.Path)
			}
			return paths, err
		},
		Run: func(_ context.Context, t *plan.Target) error {
			mounts, err := t.Host.MountsBelow(r.KubeletDir)
			errs := []error{err}
			for _, m := range mounts {
				errs = append(errs, t.Host.Unmount(m.Path, r.UnmountFlags))
			}
			return errors.Join(errs...)
		},
	}
}

// unmountCNI takes away what plug-ins have mounted below their own paths: it is the host's, mounted once more.
func unmountCNI() plan.Step {
	mounted := func(t *plan.Target) ([]string, error) {
		var paths []string
		for _, point := range network.CNIMounts() {
			mounts, err := t.Host.MountsBelow(filepath.Dir(point))
			if err != nil {
				return nil, err
			}
			for _, m := range mounts {
				if m.Path == point {
					paths = append(paths, m.Path)
				}
			}
		}
		return paths, nil
	}
	return plan.Do{
		Name: "unmount what plug-ins of the pod network have mounted",
		Left: func(_ context.Context, t *plan.Target) ([]string, error) { return mounted(t) },
		Run: func(_ context.Context, t *plan.Target) error {
			paths, err := mounted(t)
			errs := []error{err}
			for _, path := range paths {
				errs = append(errs, t.Host.Unmount(path, 0))
			}
			return errors.Join(errs...)
		},
	}
}

// networkOf removes rules and interfaces, each sort by itself.
func networkOf(r *Resetting) []plan.Step {
	if r.Network == nil {
		return nil
	}
	var steps []plan.Step
	for _, part := range r.Network(r.CNI) {
		steps = append(steps, plan.Do{
			Name: "remove " + part.Name,
			Left: func(ctx context.Context, _ *plan.Target) ([]string, error) { return part.Find(ctx) },
			Run:  func(ctx context.Context, _ *plan.Target) error { return part.Remove(ctx) },
		})
	}
	if r.CNI {
		steps = append(steps, unmountCNI())
		for _, path := range slices.Sorted(slices.Values(network.CNIPaths())) {
			step := plan.File{Path: path, Absent: true, Extent: plan.Everything}
			if path == cniConfig {
				step.Extent = plan.Content // a runtime that watches it ends when the directory itself goes
			}
			steps = append(steps, step)
		}
	}
	return steps
}

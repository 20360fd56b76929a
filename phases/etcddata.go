package phases

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubewright/kubewright/config"
	"github.com/kubewright/kubewright/etcd"
	"github.com/kubewright/kubewright/manifests"
	"github.com/kubewright/kubewright/plan"
)

// etcdDataDir is where this machine's etcd is to keep its data, with the user's flags and patches; empty when that is no directory
// of the machine, so that nothing can be told from what lies there.
func etcdDataDir(f *Facts) string {
	data, err := manifests.YAML(manifests.Etcd(f.Node))
	if err == nil {
		data, err = f.Patches.Apply(config.Etcd, data)
	}
	if err != nil { // the step that writes the manifest says it
		return ""
	}
	return dataDirOf(podOf(data))
}

// EtcdDataDirs are the directories of the machine in which an etcd keeps its data: that of --data-dir, and of --wal-dir if its log
// is elsewhere.
func EtcdDataDirs(pod *corev1.Pod) []string {
	var dirs []string
	for _, flag := range []string{"data-dir", "wal-dir"} {
		if dir := dirOf(pod, flag); dir != "" && !slices.ContainsFunc(dirs, func(d string) bool { return below(dir, d) }) {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}

// dataDirOf is the directory of the machine that etcd's --data-dir means.
func dataDirOf(pod *corev1.Pod) string { return dirOf(pod, "data-dir") }

func dirOf(pod *corev1.Pod, flag string) string {
	if pod == nil {
		return ""
	}
	inside := ""
	c := pod.Spec.Containers[0]
	for words := CommandLine(pod); len(words) > 0; words = words[1:] {
		name, value, joined := strings.Cut(strings.TrimPrefix(words[0], "-"), "=")
		switch {
		case strings.TrimPrefix(name, "-") != flag:
		case joined:
			inside = filepath.Clean(value)
		case len(words) > 1:
			inside = filepath.Clean(words[1])
		}
	}
	outside, best := "", ""
	for _, m := range c.VolumeMounts {
		path := filepath.Clean(m.MountPath)
		rest, below := strings.CutPrefix(inside+"/", strings.TrimSuffix(path, "/")+"/")
		if !below || len(path) < len(best) {
			continue
		}
		for _, v := range pod.Spec.Volumes {
			if v.Name == m.Name && v.HostPath != nil {
				outside, best = filepath.Join(v.HostPath.Path, m.SubPath, rest), path
			}
		}
	}
	return outside
}

// lost says that a member of this machine has run before, but that its data is gone: it can't start again as that member. The
// data may be where the manifest of now says, or that of before; and one that answers has it, wherever that is.
func lost(ctx context.Context, f *Facts, e *etcd.Client, m etcd.Member) bool {
	dir := etcdDataDir(f)
	if !m.Started() || dir == "" {
		return false
	}
	for _, d := range []string{dir, dataDirOf(etcdOnDisk(f.Host))} {
		if d != "" && f.Host.Exists(filepath.Join(d, "member")) {
			return false
		}
	}
	return !e.Works(ctx, m)
}

// setAside makes room for a new member where the data of one is that the cluster does not have any more: etcd would not start
// with it. It is renamed, not removed.
func setAside(f *Facts) plan.Step {
	peer, dir := f.Config.EtcdPeerURL(), etcdDataDir(f)
	old := filepath.Join(dir, "member")
	return plan.Do{
		Name: "set aside the data of an etcd member that was removed from the cluster",
		Done: func(ctx context.Context, _ *plan.Target) (done bool, err error) {
			if dir == "" || !f.Host.Exists(old) {
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

// quiet is how long no pod of etcd must have been there before it counts as stopped: the kubelet may start one more before it
// has seen that the manifest is gone.
const quiet = 2 * time.Second

// stopEtcd takes etcd's manifest away and ends its pod.
func stopEtcd(ctx context.Context, t *plan.Target) error {
	had := t.Host.Exists(manifestPath(config.Etcd))
	if err := t.Host.Remove(manifestPath(config.Etcd)); err != nil {
		return err
	}
	if t.Runtime == nil {
		return nil
	}
	for seen := time.Now(); ; {
		pods, err := t.Runtime.StaticPods(ctx)
		if err != nil {
			return err
		}
		for _, pod := range pods {
			if !strings.HasPrefix(pod.Name, config.Etcd+"-") {
				continue
			}
			if err := t.Runtime.RemovePod(ctx, pod.ID); err != nil {
				return err
			}
			seen = time.Now()
		}
		if !had || time.Since(seen) >= quiet {
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(quiet / 4):
		}
	}
}

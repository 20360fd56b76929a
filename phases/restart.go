package phases

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubewright/kubewright/cluster"
	"github.com/kubewright/kubewright/config"
	"github.com/kubewright/kubewright/manifests"
	"github.com/kubewright/kubewright/plan"
)

// apiServerProbe asks this machine's API server as the kubelet does: it has to prove who it is. That is false where none is to run here.
func apiServerProbe(f *Facts) (cluster.Probe, bool) {
	data, err := f.Host.ReadFile(manifestPath(config.APIServer))
	if err != nil {
		return cluster.Probe{}, false
	}
	pod := podOf(data)
	if pod == nil {
		return cluster.Probe{}, false
	}
	probe, ok := cluster.ProbeOf(&pod.Spec.Containers[0])
	probe.CA, probe.ServerName = f.PKI.Data(filepath.Join(f.Config.Cluster.CertificatesDir, "ca.crt")), "kubernetes"
	probe.Client, probe.Dial = func() (*cluster.Client, error) { return f.Client(f.AdminKubeconfig) }, f.Host.Dialer
	return probe, ok
}

// restartReader changes the manifest of a component that reads what is renewed, as little as makes the kubelet restart it.
func restartReader(f *Facts, component string) ([]plan.Step, error) {
	r := f.Renewing
	path := manifestPath(component)
	data, err := f.Host.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case f.tolerates(err):
		return unreadable(err, path), nil
	case err != nil:
		return nil, err
	}
	pod := podOf(data)
	if pod == nil {
		return nil, fmt.Errorf("cannot use %s: it is no manifest of a static pod; bring the right one, or leave the components alone with --no-restart", path)
	}
	files := manifests.FilesOf(CommandLine(pod))
	if !r.renews(files) {
		return nil, nil
	}
	r.Readers = append(r.Readers, component)
	if r.NoRestart {
		return nil, nil
	}
	if data, err = manifests.WithHash(data, f.PKI.Hash(files...)); err != nil {
		return nil, fmt.Errorf("cannot change %s: %w", path, err)
	}
	step, err := inPlace(f, plan.File{Path: path, Mode: 0o600, Data: data, Why: "has the kubelet restart it"})
	if err != nil {
		return nil, err
	}
	r.pods = append(r.pods, pod)
	steps := []plan.Step{step}
	if wait, ok := waitStarted(f, pod, cluster.ReadyProbeOf, watchPods(newLooker(f))); ok && !r.together {
		steps = append(steps, wait)
	}
	return steps, nil
}

// renews says that one of the files is renewed.
func (r *Renewing) renews(files []string) bool {
	for _, renewal := range r.Renewals {
		for _, file := range renewal.Files {
			if slices.ContainsFunc(files, func(read string) bool { return filepath.Clean(read) == file.Path }) {
				return true
			}
		}
	}
	return false
}

// waitReaders waits for all of them at the end, where the kubelet can't be counted on to replace one after the other.
func waitReaders(ctx context.Context, f *Facts) []plan.Step {
	if len(f.Renewing.pods) == 0 || !f.Renewing.together {
		return nil
	}
	probe, _ := apiServerProbe(f)
	steps := stalePods(ctx, f, probe)
	watch := watchPods(newLooker(f))
	for _, pod := range f.Renewing.pods {
		if wait, ok := waitStarted(f, pod, cluster.ProbeOf, watch); ok {
			steps = append(steps, wait)
		}
	}
	return steps
}

// waitStarted waits until the component of a static pod answers the probe as a process that was started after its manifest was
// written; false where it has no such probe.
func waitStarted(f *Facts, pod *corev1.Pod, probeOf func(*corev1.Container) (cluster.Probe, bool), watch func(string) watch) (plan.Wait, bool) {
	probe, ok := probeOf(&pod.Spec.Containers[0])
	if !ok {
		return plan.Wait{}, false
	}
	probe.Client, probe.Dial = func() (*cluster.Client, error) { return f.Client(f.AdminKubeconfig) }, f.Host.Dialer
	return plan.Wait{
		For: probe.Name + " answers " + probe.URL,
		Probe: func(ctx context.Context, t *plan.Target) error {
			if err := probe.Check(ctx); err != nil {
				return err
			}
			return startedAfterManifest(ctx, t, probe.Name)
		},
		Watch: watch(probe.Name),
	}, true
}

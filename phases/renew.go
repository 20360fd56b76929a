package phases

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubewright/kubewright/cluster"
	"github.com/kubewright/kubewright/config"
	"github.com/kubewright/kubewright/manifests"
	"github.com/kubewright/kubewright/pki"
	"github.com/kubewright/kubewright/plan"
)

// Renewing is what is to be renewed on this machine.
type Renewing struct {
	// Rows are the certificates.
	Rows []pki.Row
	// NoRestart leaves the components alone that read them.
	NoRestart bool
	// Offline says that only files are written, of a machine that does not run.
	Offline bool

	// Renewals is what becomes of each, once the phase has been asked.
	Renewals []pki.Renewal
	// Readers are the components that read what is renewed, once their phases have been asked.
	Readers []string

	pods []*corev1.Pod // of the readers
	// together says that no API server answers which the kubelet would believe; see stalePods.
	together bool
}

// RenewName is what runs of `certs renew` are called in the journals.
const RenewName = "certs-renew"

// Renew is the list of `kubewright certs renew`. The components come one after the other, as they need each other, so that each is
// well before the next one is restarted.
func Renew() Command {
	c := Command{Name: RenewName, Phases: []Phase{{
		Name: "certs", About: "Renew the certificates",
		Steps: func(ctx context.Context, f *Facts) ([]plan.Step, error) { return renewCertificates(ctx, f) },
	}}}
	for _, component := range components {
		c.Phases = append(c.Phases, Phase{
			Name: strings.TrimPrefix(component, "kube-"), About: "Restart " + component,
			Steps: func(_ context.Context, f *Facts) ([]plan.Step, error) { return restartReader(f, component) },
		})
	}
	c.Phases = append(c.Phases, Phase{
		Name: "wait-control-plane", About: "Wait for what was restarted",
		Steps: func(ctx context.Context, f *Facts) ([]plan.Step, error) { return waitReaders(ctx, f), nil },
	})
	return c
}

func renewCertificates(ctx context.Context, f *Facts) ([]plan.Step, error) {
	var steps []plan.Step
	for _, row := range f.Renewing.Rows {
		r, err := f.PKI.Renew(row)
		if f.tolerates(err) {
			steps = append(steps, unreadable(err, f.PKI.Paths(row.Name)...)...)
			continue
		}
		if err != nil {
			return nil, err
		}
		f.Renewing.Renewals = append(f.Renewing.Renewals, r)
		for _, file := range r.Files {
			step := fileStep(file)
			step.Secret = true // the text of a certificate that is made anew by the next run tells nobody anything
			if step, err = inPlace(f, step); err != nil {
				return nil, err
			}
			steps = append(steps, step)
		}
	}
	if probe, there := apiServerProbe(f); there && !f.Renewing.Offline && !f.Renewing.NoRestart {
		f.Renewing.together = probe.Check(ctx) != nil
	}
	return steps, nil
}

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
	first := pod.Spec.Containers[0]
	files := manifests.FilesOf(slices.Concat(first.Command, first.Args))
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

// inPlace is a file that keeps the mode and the owner of the one that is there, as components that do not run as root need it, and that
// is written where a symbolic link leads.
func inPlace(f *Facts, file plan.File) (plan.File, error) {
	for followed := range maxLinks {
		info, err := f.Host.Stat(file.Path)
		switch {
		case errors.Is(err, fs.ErrNotExist) && followed == 0:
			return file, nil
		case err != nil:
			return file, err
		case info.Link == "":
			file.Mode, file.UID, file.GID = info.Mode.Perm(), info.UID, info.GID
			return file, nil
		case filepath.IsAbs(info.Link):
			file.Path = info.Link
		default:
			file.Path = filepath.Join(filepath.Dir(file.Path), info.Link)
		}
	}
	return file, fmt.Errorf("cannot write %s: its symbolic links lead nowhere", file.Path)
}

// maxLinks is how many symbolic links are followed one after the other.
const maxLinks = 8

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

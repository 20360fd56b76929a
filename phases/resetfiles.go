package phases

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kubewright/kubewright/config"
	"github.com/kubewright/kubewright/pki"
	"github.com/kubewright/kubewright/plan"
	"github.com/kubewright/kubewright/templates"
)

// tmpDir is where kubeadm keeps backups and what it renders in a dry run.
const tmpDir = config.KubernetesDir + "/tmp"

// keysOf are the certificates and keys. Those that were there before init stay, and so does an external CA: its certificates
// were not made here.
func keysOf(f *Facts) []plan.Step {
	r := f.Resetting
	var steps []plan.Step
	if !r.Ours && !r.ExternalCA(f) {
		for _, path := range pki.WellKnown(r.CertificatesDir) {
			if !r.left(f, path) {
				steps = append(steps, plan.Gone(path))
			}
		}
	}
	for _, path := range r.changed() {
		if !r.other(path) {
			steps = append(steps, r.asBefore(f, path)...)
		}
	}
	if r.KubeletCertDir != "" && !below(r.KubeletCertDir, r.KubeletDir) {
		steps = append(steps, kubeletCerts(f, r.KubeletCertDir)...)
	}
	return steps
}

// other says that a path which kubewright has changed is none of a certificate or key.
func (r *Resetting) other(path string) bool {
	return filepath.Dir(path) == config.KubernetesDir || below(path, config.ManifestsDir) || below(path, systemdDir) || below(path, r.KubeletDir)
}

// kubeletCerts are the kubelet's own certificates where they are not in its directory.
func kubeletCerts(f *Facts, dir string) []plan.Step {
	names, _ := f.Host.ReadDir(dir) // no directory, no certificates
	var steps []plan.Step
	for _, name := range names {
		for _, pattern := range []string{"kubelet-client-*.pem", "kubelet-server-*.pem", "kubelet.crt", "kubelet.key"} {
			if ok, _ := filepath.Match(pattern, name); ok {
				steps = append(steps, plan.Gone(filepath.Join(dir, name)))
			}
		}
	}
	return steps
}

const (
	// systemdDir is where the kubelet's unit and drop-in are, if they are ours.
	systemdDir = "/etc/systemd/system"
	// kubeletWanted is the link by which the kubelet starts at boot.
	kubeletWanted = systemdDir + "/multi-user.target.wants/" + config.KubeletService
)

// filesOf are the other files, from those that only this node needs to the directories that are empty then.
func filesOf(f *Facts) []plan.Step {
	r := f.Resetting
	var steps []plan.Step
	kubeconfigs := []string{config.AdminKubeconfig, config.SuperAdminKubeconfig, config.ControllerManagerKubeconfig, config.SchedulerKubeconfig}
	for _, path := range kubeconfigs {
		if r.Ours && r.Origin.Files[path] == nil || r.left(f, path) { // the user's, as with an external CA
			continue
		}
		steps = append(steps, r.asBefore(f, path)...)
	}
	if !r.ownKubelet(f) {
		steps = append(steps, plan.Gone(config.KubeletKubeconfig))
	}
	steps = append(steps, plan.Gone(config.BootstrapKubeletKubeconfig))
	for _, component := range components {
		steps = append(steps, plan.Gone(manifestPath(component)))
	}
	if r.CleanupTmp {
		steps = append(steps, plan.File{Path: tmpDir, Absent: true, Extent: plan.Everything})
	}
	if disabled(f) { // systemd does not do it where the unit's file is gone, or masked
		steps = append(steps, plan.Gone(kubeletWanted))
	}
	var forgotten []string
	for _, path := range []string{config.KubeletUnitFile, config.KubeletDropIn} {
		if r.Origin.Files[path] == nil && !ownFile(f, path) {
			continue
		}
		steps = append(steps, r.asBefore(f, path)...)
		forgotten = append(forgotten, path)
	}
	extent := plan.Everything
	if r.keepsDir(r.KubeletDir) {
		extent = plan.Content
	}
	steps = append(steps,
		plan.Unit{Name: config.KubeletService, Forgotten: forgotten},
		plan.File{Path: r.KubeletDir, Absent: true, Extent: extent})
	steps = append(steps, halfWritten(r))
	return append(steps, emptied(r)...)
}

// halfWritten removes what runs that were cut off have left beside what they were about to write. It may hold keys.
func halfWritten(r *Resetting) plan.Step {
	dirs := []string{config.KubernetesDir, config.ManifestsDir, r.CertificatesDir, filepath.Join(r.CertificatesDir, "etcd")}
	for path := range r.Origin.Files {
		dirs = append(dirs, filepath.Dir(path))
	}
	slices.Sort(dirs)
	dirs = slices.Compact(dirs)
	return plan.Do{
		Name: "remove what interrupted runs left half-written",
		Left: func(_ context.Context, t *plan.Target) (left []string, err error) {
			for _, dir := range dirs {
				names, err := t.Host.Leftovers(dir)
				if err != nil {
					return nil, err
				}
				for _, name := range names {
					left = append(left, filepath.Join(dir, name))
				}
			}
			return left, nil
		},
		Run: func(_ context.Context, t *plan.Target) error {
			var errs []error
			for _, dir := range dirs {
				if t.Host.Exists(dir) {
					errs = append(errs, t.Host.RemoveLeftovers(dir))
				}
			}
			return errors.Join(errs...)
		},
	}
}

// madeByPods are directories that the controller manager (flexvolume-dir), the kubelet and kube-proxy (modules) want to be there.
var madeByPods = []string{
	"/usr/libexec/kubernetes/kubelet-plugins/volume/exec", "/usr/libexec/kubernetes/kubelet-plugins/volume",
	"/usr/libexec/kubernetes/kubelet-plugins", "/usr/libexec/kubernetes", "/lib/modules",
}

// emptied are the directories that were made, the lowest first.
func emptied(r *Resetting) []plan.Step {
	var dirs []string
	for path, before := range r.Origin.Files {
		if before.Absent {
			dirs = append(dirs, before.Parents()...)
		}
		if before.Absent && before.Dir {
			dirs = append(dirs, path)
		}
	}
	if !r.Ours {
		dirs = append(dirs, filepath.Join(r.CertificatesDir, "etcd"), r.CertificatesDir, config.ManifestsDir, config.KubernetesDir)
	}
	dirs = append(dirs, madeByPods...)
	slices.Sort(dirs)
	dirs = slices.Compact(dirs)
	slices.Reverse(dirs)
	var steps []plan.Step
	for _, dir := range dirs {
		if !below(dir, r.KubeletDir) {
			steps = append(steps, plan.GoneIfEmpty(dir))
		}
	}
	return steps
}

// left says that an earlier reset has left a file on purpose.
func (r *Resetting) left(f *Facts, path string) bool {
	info, err := f.Host.Stat(path)
	return err == nil && info.ModTime.Before(r.Settled)
}

// ownKubelet says that the user has brought the kubelet's credentials, as with an external CA: neither has init made them, nor has the
// kubelet got them from the cluster; and the certificate in them does not go with the kubelet's directory.
func (r *Resetting) ownKubelet(f *Facts) bool {
	const path = config.KubeletKubeconfig
	data, err := f.Host.ReadFile(path)
	if err != nil || strings.Contains(string(data), r.KubeletDir+"/") {
		return false
	}
	return r.left(f, path) || r.Ours && r.Origin.Files[path] == nil && r.Origin.Files[config.BootstrapKubeletKubeconfig] == nil
}

// asBefore brings back what was at the path before: nothing, or the file as it was.
func (r *Resetting) asBefore(f *Facts, path string) []plan.Step {
	before := r.Origin.Files[path]
	if before == nil || before.Absent || !r.Ours {
		if before != nil && before.Dir {
			return nil // when it is empty
		}
		return []plan.Step{plan.Gone(path)}
	}
	if before.Dir {
		return nil
	}
	step := plan.File{Path: path, Secret: true, Mode: before.Mode, UID: before.UID, GID: before.GID, Link: before.Link, Why: "as it was before"}
	if before.Link == "" {
		data, err := r.Origin.Content(f.Host, path)
		if err != nil {
			step.Unknown = err.Error()
		}
		step.Data = data
	}
	return []plan.Step{step}
}

// changed are the paths that kubewright has changed, in order.
func (r *Resetting) changed() []string {
	var paths []string
	for path, before := range r.Origin.Files {
		if r.Ours || before.Absent {
			paths = append(paths, path)
		}
	}
	slices.Sort(paths)
	return paths
}

// keepsDir says that a directory was there before, or that nobody knows: then it stays, with nothing in it.
func (r *Resetting) keepsDir(dir string) bool { return !r.Origin.Made(dir) }

// ExternalCA says that the certificates here are signed by somebody else: a control plane has the CA without its key.
func (r *Resetting) ExternalCA(f *Facts) bool {
	at := func(name string) bool { return f.Host.Exists(filepath.Join(r.CertificatesDir, name)) }
	return at("ca.crt") && !at("ca.key") && at("apiserver.crt")
}

// ownFile says that a file is wholly kubewright's.
func ownFile(f *Facts, path string) bool {
	data, err := f.Host.ReadFile(path)
	return err == nil && strings.Contains(string(data), templates.Marker)
}

func below(path, dir string) bool { return path == dir || strings.HasPrefix(path, dir+"/") }

package bed

import (
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// prepare lays out the machine's folder: its layer of the root, and containerd's folder with the images.
func (m *Machine) prepare(spec Spec) error {
	dir := m.dir()
	upper := filepath.Join(dir, "upper")
	for _, d := range []string{"upper", "work", "root", "volumes/kubelet"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			return err
		}
	}
	// Written down before anything of it runs.
	if err := m.record(m.current()); err != nil {
		return err
	}
	if err := m.containerdFolder(spec); err != nil {
		return err
	}
	laid := map[string]string{
		"/etc/hostname":   m.Name + "\n",
		"/etc/machine-id": randomHex() + "\n",
		"/etc/hosts":      "127.0.0.1 localhost\n" + m.IP() + " " + m.Name + "\n",
		// Nothing listens there, so look-ups of unknown names fail at once instead of after ten seconds.
		"/etc/resolv.conf": "nameserver " + m.IP() + "\n",
	}
	if !spec.NoCNI {
		laid["/etc/cni/net.d/10-kw.conflist"] = fmt.Sprintf(fileOf("cni.json"), m.PodRange())
	}
	if spec.KubeletUnit {
		laid["/usr/lib/systemd/system/kubelet.service"] = fileOf("kubelet.service")
		laid["/usr/lib/systemd/system/kubelet.service.d/10-kubeadm.conf"] = fileOf("10-kubeadm.conf")
	}
	if spec.Audit {
		laid[AuditPolicy] = fileOf("audit-policy.yaml")
	}
	for path, text := range spec.Files {
		laid[path] = text
	}
	for path, text := range laid {
		if err := writeFile(filepath.Join(upper, path), text, 0o644); err != nil {
			return err
		}
	}
	if err := writeFile(filepath.Join(dir, "boot.sh"), fileOf("boot.sh"), 0o755); err != nil {
		return err
	}
	if spec.NoRuntime {
		// A null unit: masked.
		if err := os.Symlink("/dev/null", filepath.Join(mkdir(upper, "etc/systemd/system"), "containerd.service")); err != nil {
			return err
		}
	}
	return m.programs(spec, mkdir(upper, "usr/bin"))
}

// programs puts the machine's own programs over those of the lower layers.
func (m *Machine) programs(spec Spec, bin string) error {
	for name, from := range spec.Binaries {
		if err := runQuiet(exec.Command("cp", "--dereference", from, filepath.Join(bin, name))); err != nil {
			return err
		}
	}
	switch kubelet := filepath.Join(bin, "kubelet"); {
	case spec.NoKubelet: // this device is how an overlay says: not there
		return syscall.Mknod(kubelet, syscall.S_IFCHR, 0)
	case spec.KubeletVersion != "":
		text := fmt.Sprintf("#!/bin/sh\n[ \"$1\" = --version ] && echo 'Kubernetes %s' && exit\nexec -a kubelet /usr/bin/k8s \"$@\"\n",
			spec.KubeletVersion)
		return os.WriteFile(kubelet, []byte(strings.Replace(text, "/bin/sh", "/bin/bash", 1)), 0o755)
	}
	return nil
}

// containerdFolder copies the template by links: layers and blobs are never written again. The databases are.
func (m *Machine) containerdFolder(spec Spec) error {
	to := filepath.Join(m.dir(), "volumes/containerd")
	template := m.lab.Kit.Template
	if template == "" || spec.NoImages {
		return os.MkdirAll(to, 0o711)
	}
	if err := runQuiet(exec.Command("cp", "-al", template, to)); err != nil {
		return err
	}
	dbs, err := filepath.Glob(filepath.Join(template, "*", "*.db"))
	if err != nil {
		return err
	}
	for _, db := range dbs {
		rel, _ := filepath.Rel(template, db)
		if err := runQuiet(exec.Command("cp", "--remove-destination", db, filepath.Join(to, rel))); err != nil {
			return err
		}
	}
	return nil
}

func mkdir(root, path string) string {
	dir := filepath.Join(root, path)
	os.MkdirAll(dir, 0o755) //nolint:errcheck // the write that follows fails with the reason
	return dir
}

func randomHex() string {
	b := make([]byte, 16)
	rand.Read(b) //nolint:errcheck // never fails
	return fmt.Sprintf("%x", b)
}

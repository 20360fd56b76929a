package bed

import (
	"embed"
	"os"
	"os/exec"
	"path/filepath"
)

//go:embed files
var files embed.FS

// fileOf returns an embedded file; a missing one is a mistake in this package.
func fileOf(name string) string {
	data, err := files.ReadFile("files/" + name)
	if err != nil {
		panic(err)
	}
	return string(data)
}

// toolFiles are laid over the Debian root of every machine.
var toolFiles = map[string]string{
	"containerd.toml":    "etc/containerd/config.toml",
	"containerd.service": "usr/lib/systemd/system/containerd.service",
}

// toolsKey changes with every file that is laid out, not with where the cache is.
func toolsKey(bins map[string]string) string {
	parts := []string{"1"}
	for _, c := range components {
		parts = append(parts, filepath.Base(bins[c.name]))
	}
	return hashOf(append(parts, fileOf("containerd.toml"), fileOf("containerd.service"))...)
}

// tools lays out the binaries of a machine and containerd's unit. Binaries that hold several programs get a link each.
func (b *Builder) tools(bins map[string]string) (string, error) {
	return b.Cache.Get("tools", toolsKey(bins), func(tmp string) error {
		bin := filepath.Join(tmp, "usr/bin")
		if err := os.MkdirAll(bin, 0o755); err != nil {
			return err
		}
		for name, as := range map[string]string{
			"k8s": "k8s", "containerd": "containerd", "shim": "containerd-shim-runc-v2", "kubeadm": "kubeadm", "etcd": "etcd",
		} {
			if err := runQuiet(exec.Command("cp", bins[name], filepath.Join(bin, as))); err != nil {
				return err
			}
		}
		for link, to := range map[string]string{"kubelet": "k8s", "kubectl": "k8s", "ctr": "containerd", "etcdctl": "etcd"} {
			if err := os.Symlink(to, filepath.Join(bin, link)); err != nil {
				return err
			}
		}
		for from, to := range toolFiles {
			if err := writeFile(filepath.Join(tmp, to), fileOf(from), 0o644); err != nil {
				return err
			}
		}
		wants := filepath.Join(tmp, "etc/systemd/system/multi-user.target.wants")
		if err := os.MkdirAll(wants, 0o755); err != nil {
			return err
		}
		return os.Symlink("/usr/lib/systemd/system/containerd.service", filepath.Join(wants, "containerd.service"))
	})
}

// writeFile creates a file and the folders above it.
func writeFile(path, text string, mode os.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(text), mode)
}

package bed

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

const templateMinutes = 0.4

// templateKey changes with everything that the images are made from, not with where the cache is.
func templateKey(rootfs, tools string, bins map[string]string) string {
	parts := []string{"2", filepath.Base(rootfs), filepath.Base(tools)}
	for _, name := range []string{"images", "tool", "pause", "coredns", "etcd", "k8s"} {
		parts = append(parts, filepath.Base(bins[name]))
	}
	return hashOf(append(parts, strings.Join(proxyPackages, " "), KubernetesVersion, EtcdTag, CoreDNSTag, PauseTag)...)
}

// template boots a machine once to let containerd import all images, and keeps containerd's folder. A machine that starts
// from a copy of it has every image unpacked.
func (b *Builder) template(kit Kit, bins map[string]string) (string, error) {
	key := templateKey(kit.Rootfs, kit.Tools, bins)
	step := b.todo("images", templateMinutes)
	return b.Cache.Get("template", key, func(tmp string) (err error) {
		step.begin()
		work := filepath.Join(b.Cache.Dir, ".tmp-layers-"+key)
		defer os.RemoveAll(work)
		if err := os.MkdirAll(work, 0o755); err != nil {
			return err
		}
		file := filepath.Join(work, "images.tar")
		if err := archive(work, kit.Rootfs, bins, file); err != nil {
			return err
		}
		name := fmt.Sprintf("import-%d", os.Getpid())
		lab, err := CreateLab(b.Cache, kit, name, ThisProcess(), Process{})
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, lab.Down()) }()
		m, err := lab.Boot(Spec{Name: "importer", NoCNI: true})
		if err != nil {
			return err
		}
		if err := importImages(m, file); err != nil {
			return err
		}
		step.end()
		return runQuiet(exec.Command("cp", "-al", filepath.Join(m.dir(), "volumes/containerd"), tmp))
	})
}

// importImages feeds the archive to containerd and stops it, so that its files are complete.
func importImages(m *Machine, file string) error {
	in, err := os.Open(file)
	if err != nil {
		return err
	}
	defer in.Close()
	cmd := m.Command("ctr", "-n", "k8s.io", "images", "import", "-")
	cmd.Stdin = in
	if err := runQuiet(cmd); err != nil {
		return err
	}
	if err := runQuiet(m.Command("systemctl", "stop", "containerd")); err != nil {
		return err
	}
	time.Sleep(200 * time.Millisecond) // KillMode=process: nothing else runs in this machine, the files are at rest
	return nil
}

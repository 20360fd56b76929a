package bed

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// hostPackages are the Debian packages that the host needs, each with a file that shows it is there.
var hostPackages = map[string]string{
	"mmdebstrap": "/usr/bin/mmdebstrap",
	"iproute2":   "/usr/bin/ip",
	"util-linux": "/usr/bin/nsenter",
}

// machinePackages are in every machine's root.
var machinePackages = []string{
	"systemd", "systemd-sysv", "dbus", "udev", "iproute2", "iptables", "nftables", "conntrack", "ethtool", "kmod", "procps",
	"ca-certificates", "libseccomp2", "runc", "containernetworking-plugins", "iputils-ping", "socat", "mount", "util-linux",
	"busybox-static", "less",
}

// hostPackages installs what a bare Debian host lacks.
func (b *Builder) hostPackages() error { return b.installOnHost(hostPackages) }

// installOnHost installs those Debian packages whose file is not there.
func (b *Builder) installOnHost(packages map[string]string) error {
	var missing []string
	for pkg, file := range packages {
		if _, err := os.Stat(file); err != nil {
			missing = append(missing, pkg)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	fmt.Fprintf(b.Log, "bed: installing Debian packages on this host: %s\n", strings.Join(missing, " "))
	install := func() error {
		cmd := exec.Command("apt-get", append([]string{"install", "-y", "--no-install-recommends"}, missing...)...)
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		return runQuiet(cmd)
	}
	if install() == nil { // the package lists are there and fresh enough
		return nil
	}
	if err := runQuiet(exec.Command("apt-get", "update")); err != nil {
		return fmt.Errorf("cannot install %s: %w", strings.Join(missing, " "), err)
	}
	return install()
}

const suite = "bookworm"

const rootfsMinutes = 0.8

// setupScript finishes a fresh root: no units that need hardware, logs that survive the machine, plugins where the
// kubelet and containerd look for them.
const setupScript = `set -eu
cd "$1"
for u in systemd-udevd.service systemd-udevd-control.socket systemd-udevd-kernel.socket systemd-udev-trigger.service \
  systemd-sysctl.service systemd-modules-load.service systemd-timesyncd.service systemd-logind.service getty.target console-getty.service \
  apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer fstrim.timer e2scrub_reap.service \
  sys-kernel-debug.mount sys-kernel-tracing.mount sys-kernel-config.mount sys-fs-fuse-connections.mount dev-hugepages.mount dev-mqueue.mount proc-sys-fs-binfmt_misc.automount; do
  ln -sf /dev/null etc/systemd/system/$u
done
mkdir -p var/log/journal opt/cni etc/cni/net.d etc/containerd oldroot etc/kubernetes/manifests
rmdir etc/kubernetes/manifests etc/kubernetes
ln -s /usr/lib/cni opt/cni/bin
: > etc/machine-id
rm -f etc/hostname etc/resolv.conf var/lib/dbus/machine-id
`

func rootfsKey() string {
	return hashOf(append([]string{suite, setupScript}, machinePackages...)...)
}

// rootfs makes the Debian root that all machines share as the lowest layer.
func (b *Builder) rootfs() (string, error) {
	key := rootfsKey()
	step := b.todo("Debian "+suite+" root", rootfsMinutes)
	return b.Cache.Get("rootfs", key, func(tmp string) error {
		step.begin()
		cmd := exec.Command("mmdebstrap", "--variant=minbase", "--include="+strings.Join(machinePackages, ","),
			`--aptopt=Acquire::Check-Valid-Until "false"`,
			"--dpkgopt=path-exclude=/usr/share/doc/*", "--dpkgopt=path-exclude=/usr/share/locale/*",
			"--dpkgopt=path-exclude=/usr/share/man/*", suite, tmp)
		if err := runQuiet(cmd); err != nil {
			return err
		}
		if err := os.Chmod(filepath.Clean(tmp), 0o755); err != nil {
			return err
		}
		err := runQuiet(exec.Command("sh", "-c", setupScript, "sh", tmp))
		step.end()
		return err
	})
}

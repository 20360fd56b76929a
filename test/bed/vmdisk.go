package bed

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
)

// The VM's place in its network, which qemu gives it: 10.0.2.2 is the gateway.
const (
	vmName = "vm1"
	vmIP   = "10.0.2.15"
)

// vmFiles are laid over the root of a VM: what a disk, a kernel and network hardware of its own need.
func vmFiles() map[string]string {
	return map[string]string{
		"etc/hostname":                        vmName + "\n",
		"etc/hosts":                           "127.0.0.1 localhost\n::1 localhost\n" + vmIP + " " + vmName + "\n",
		"etc/resolv.conf":                     "nameserver " + vmIP + "\n", // nothing listens there: look-ups fail at once
		"etc/fstab":                           "/dev/vdb /opt/payload ext4 ro 0 0\n",
		"etc/modules-load.d/kubernetes.conf":  "overlay\nbr_netfilter\nnf_conntrack\n",
		"etc/sysctl.d/90-kubernetes.conf":     "net.ipv4.ip_forward = 1\nnet.bridge.bridge-nf-call-iptables = 1\n",
		"etc/systemd/network/eth.network":     fileOf("vm-eth.network"),
		"etc/systemd/system/vm-agent.service": fileOf("vm-agent.service"),
		"etc/cni/net.d/10-kw.conflist":        fmt.Sprintf(fileOf("cni.json"), "10.244.0.0/24"),
	}
}

// vmUnits are the units that a VM needs although a machine of namespaces does without.
const vmUnits = "systemd-udevd.service systemd-udevd-control.socket systemd-udevd-kernel.socket systemd-udev-trigger.service " +
	"systemd-sysctl.service systemd-modules-load.service dev-hugepages.mount dev-mqueue.mount"

// vmDiskScript makes a tree out of the cached parts, by links, and a disk out of the tree. No file in it may be written to:
// the bytes are the cache's. Remove first, then write.
const vmDiskScript = `set -eu
tree=$1 rootfs=$2 tools=$3 kernel=$4 template=$5 overlay=$6 disk=$7 units=$8
rm -rf "$tree"
cp -al "$rootfs" "$tree"
cp -al --remove-destination "$tools/." "$tree"
mkdir -p "$tree/usr/lib/modules" "$tree/var/lib/containerd" "$tree/opt/payload"
cp -al "$kernel/modules/." "$tree/usr/lib/modules"
cp -al "$kernel/boot/." "$tree/boot"
cp -al "$template/." "$tree/var/lib/containerd"
cd "$tree"
for u in $units; do rm -f "etc/systemd/system/$u"; done
cp -a --remove-destination "$overlay/." .
wants() { mkdir -p "etc/systemd/system/$1.wants"; ln -s "$2" "etc/systemd/system/$1.wants/"; }
wants multi-user.target /etc/systemd/system/vm-agent.service
wants multi-user.target /lib/systemd/system/systemd-networkd.service
wants network-online.target /lib/systemd/system/systemd-networkd-wait-online.service
rm -f "$disk"
truncate -s 8G "$disk"
mke2fs -q -F -t ext4 -O ^has_journal -E assume_storage_prezeroed=1 -m 0 -d . "$disk"
rm -rf "$tree"`

// vmDisk makes the root disk of VMs: Debian, the components, the kernel's modules, and containerd with all images.
func (b *Builder) vmDisk(kit Kit, kernel string) (string, error) {
	files := vmFiles()
	var names []string
	for name := range files {
		names = append(names, name)
	}
	sort.Strings(names)
	parts := []string{"1", vmUnits, vmDiskScript}
	for _, from := range []string{kit.Rootfs, kit.Tools, kit.Template, kernel} {
		parts = append(parts, filepath.Base(from)) // not where the cache is
	}
	for _, name := range names {
		parts = append(parts, name, files[name])
	}
	key := hashOf(parts...)
	step := b.todo("VM disk", 0.5)
	return b.Cache.Get("vmdisk", key, func(tmp string) error {
		step.begin()
		work := filepath.Join(b.Cache.Dir, ".tmp-vmtree-"+key)
		defer os.RemoveAll(work)
		if err := os.RemoveAll(work); err != nil {
			return err
		}
		overlay := filepath.Join(work, "overlay")
		for name, text := range files {
			if err := writeFile(filepath.Join(overlay, name), text, 0o644); err != nil {
				return err
			}
		}
		err := runQuiet(exec.Command("sh", "-c", vmDiskScript, "sh", filepath.Join(work, "tree"), kit.Rootfs, kit.Tools, kernel,
			kit.Template, overlay, tmp, vmUnits))
		step.end()
		return err
	})
}

// payload is what differs from one VM to the next, on a disk of its own that is made in a second.
type payload struct {
	agent    string            // program of the host: this command, with its agent
	programs map[string]string // programs to copy into /usr/bin, from a path of the host, by name
	files    map[string]string // files to lay over the root, by absolute path
}

// vmInstall lays the payload over the root, in the VM.
const vmInstall = "cp -a --no-preserve=ownership /opt/payload/root/. / && systemctl daemon-reload"

// write makes the disk in a folder and returns its path.
func (p payload) write(dir string) (string, error) {
	tree, disk := filepath.Join(dir, "payload"), filepath.Join(dir, "payload.img")
	for path, text := range p.files {
		if err := writeFile(filepath.Join(tree, "root", path), text, 0o644); err != nil {
			return "", err
		}
	}
	copies := map[string]string{filepath.Join(tree, "bed"): p.agent}
	for name, from := range p.programs {
		copies[filepath.Join(tree, "root/usr/bin", name)] = from
	}
	size := int64(16 << 20) // for what the file system needs itself
	for to, from := range copies {
		info, err := os.Stat(from)
		if err != nil {
			return "", err
		}
		size += info.Size() + info.Size()/50
		if err := runQuiet(exec.Command("cp", "--dereference", from, filepath.Join(mkdir(to, ".."), filepath.Base(to)))); err != nil {
			return "", err
		}
	}
	return disk, runQuiet(exec.Command("mke2fs", "-q", "-F", "-t", "ext4", "-O", "^has_journal", "-d", tree, disk,
		fmt.Sprint(size/1024)+"k"))
}

package bed

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
)

// vmHostPackages are the Debian packages that the host needs for a VM, on top of hostPackages.
var vmHostPackages = map[string]string{
	"qemu-system-x86": "/usr/bin/" + qemuProgram,
	"e2fsprogs":       "/usr/sbin/mke2fs",
}

// kernelPackages are Debian's kernel for virtual machines and what makes its initrd.
const kernelPackages = "linux-image-cloud-amd64,initramfs-tools,zstd"

// initrdScript runs in the root before the kernel is unpacked: the initrd needs to know our disk and nothing else.
const initrdScript = `set -eu
mkdir -p "$1/etc/initramfs-tools/conf.d" "$1/etc/initramfs-tools/hooks"
echo MODULES=list > "$1/etc/initramfs-tools/conf.d/kw"
cat > "$1/etc/initramfs-tools/hooks/kw" <<'END'
#!/bin/sh
[ "$1" = prereqs ] && exit
. /usr/share/initramfs-tools/hook-functions
manual_add_modules virtio_pci virtio_blk ext4 crc32c_generic
END
chmod 755 "$1/etc/initramfs-tools/hooks/kw"`

// kernelScript keeps four things of the root: vmlinuz, initrd.img, boot/config-<version>, where programs look for what the
// kernel can do, and modules/<version>.
const kernelScript = `set -eu
cp "$1"/boot/vmlinuz-* "$2/vmlinuz"
cp "$1"/boot/initrd.img-* "$2/initrd.img"
mkdir "$2/boot"
cp "$1"/boot/config-* "$2/boot/"
cp -a "$1/lib/modules" "$2/modules"`

// kernel makes the folder with the kernel of a VM. It comes from a Debian root of its own, so that the host keeps its kernel.
func (b *Builder) kernel() (string, error) {
	if runtime.GOARCH != "amd64" {
		return "", fmt.Errorf("cannot make a VM: only amd64 is supported, and this is %s", runtime.GOARCH)
	}
	key := hashOf("1", suite, kernelPackages, initrdScript, kernelScript)
	step := b.todo("VM kernel", 2)
	return b.Cache.Get("kernel", key, func(tmp string) error {
		step.begin()
		root := filepath.Join(b.Cache.Dir, ".tmp-kernelroot-"+key)
		hook := filepath.Join(b.Cache.Dir, ".tmp-kernelhook-"+key)
		defer os.RemoveAll(root)
		defer os.Remove(hook)
		if err := os.RemoveAll(root); err != nil {
			return err
		}
		if err := os.WriteFile(hook, []byte("#!/bin/sh\n"+initrdScript), 0o755); err != nil {
			return err
		}
		err := runQuiet(exec.Command("mmdebstrap", "--variant=minbase", "--include="+kernelPackages, "--essential-hook="+hook+` "$1"`,
			`--aptopt=Acquire::Check-Valid-Until "false"`, "--dpkgopt=path-exclude=/usr/share/doc/*",
			"--dpkgopt=path-exclude=/usr/share/locale/*", "--dpkgopt=path-exclude=/usr/share/man/*", suite, root))
		if err != nil {
			return err
		}
		if err := os.MkdirAll(tmp, 0o755); err != nil {
			return err
		}
		err = runQuiet(exec.Command("sh", "-c", kernelScript, "sh", root, tmp))
		step.end()
		return err
	})
}

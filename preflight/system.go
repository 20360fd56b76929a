package preflight

import (
	"context"
	"os"
	"strings"

	"golang.org/x/sys/unix"
	system "k8s.io/system-validators/validators"

	"github.com/kubewright/kubewright/config"
)

// system asks the validators of the Kubernetes project about the kernel, its configuration and the cgroups. What the kubelet
// accepts of cgroups depends on its version.
func (i *initChecks) system(ctx context.Context) []Finding {
	if i.m.VerifySystem == nil {
		return nil
	}
	var kubelet string
	if text, err := i.kubelet.get(ctx); err == nil {
		if v, err := config.ParseVersion(text); err == nil {
			kubelet = strings.TrimPrefix(v.String(), "v")
		}
	}
	warnings, errs := i.m.VerifySystem(kubelet)
	var found []Finding
	for _, err := range errs {
		if isCgroupV1(err) && i.cgroupV1Allowed() {
			found = append(found, warned("cgroup version 1 is deprecated; the kubelet runs on it because failCgroupV1 is false", "")...)
			continue
		}
		found = append(found, failed(oneLine(err), systemHint(err))...)
	}
	for _, err := range warnings {
		found = append(found, warned(oneLine(err), "")...)
	}
	return found
}

// cgroupV1Allowed says that the user allows the kubelet to run on cgroup version 1. kubeadm wants it said a second time.
func (i *initChecks) cgroupV1Allowed() bool {
	k := i.c.Kubelet
	return k != nil && k.FailCgroupV1 != nil && !*k.FailCgroupV1
}

func isCgroupV1(err error) bool {
	return strings.Contains(err.Error(), "cgroups v1 support is deprecated")
}

func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }

// systemHint knows the two failures that say little about the machine's fitness.
func systemHint(err error) string {
	text := err.Error()
	switch {
	case strings.Contains(text, "kernel config"):
		return "the kernel's configuration is looked for in /proc/config.gz, /boot/config-$(uname -r) and /lib/modules; " +
			"inside a container it often can't be read although the kernel is right"
	case isCgroupV1(err):
		return "boot with systemd.unified_cgroup_hierarchy=1, or use a newer distribution; or set failCgroupV1: false in a " +
			"KubeletConfiguration document"
	}
	return ""
}

// verifySystem runs the validators that kubeadm runs. They look at the machine directly: the second may load a kernel module
// for a moment, and the last makes and removes a directory in the cgroup tree.
func verifySystem(kubeletVersion string) (warnings, errs []error) {
	return validate(validators(kubeletVersion, true, true))
}

// inspectSystem leaves out what would touch the machine: the kernel's configuration where it is no file, and the controllers of
// cgroup version 2.
func inspectSystem(kubeletVersion string) (warnings, errs []error) {
	return validate(validators(kubeletVersion, kernelConfigured(), cgroupV1()))
}

func validators(kubeletVersion string, kernel, cgroups bool) []system.Validator {
	list := []system.Validator{&system.OSValidator{Reporter: silent{}}}
	if kernel {
		list = append(list, &system.KernelValidator{Reporter: silent{}})
	}
	if cgroups {
		list = append(list, &system.CgroupsValidator{Reporter: silent{}, KubeletVersion: kubeletVersion})
	}
	return list
}

func validate(list []system.Validator) (warnings, errs []error) {
	for _, v := range list {
		w, e := v.Validate(system.DefaultSysSpec)
		warnings, errs = append(warnings, w...), append(errs, e...)
	}
	return warnings, errs
}

// kernelConfigured says that the kernel's configuration is a file at one of the usual places.
func kernelConfigured() bool {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return false
	}
	for _, file := range []string{"/proc/config.gz", "/boot/config-" + unix.ByteSliceToString(name.Release[:])} {
		if _, err := os.Stat(file); err == nil {
			return true
		}
	}
	return false
}

// cgroupV1 says that the machine has the cgroup tree of version 1.
func cgroupV1() bool {
	const top = "/sys/fs/cgroup"
	var fs unix.Statfs_t
	if err := unix.Statfs(top, &fs); err != nil || fs.Type == unix.CGROUP2_SUPER_MAGIC {
		return false
	}
	info, err := os.Stat(top + "/memory")
	return err == nil && info.IsDir()
}

// silent drops the validators' report of everything that is right; what is wrong they return.
type silent struct{}

func (silent) Report(string, string, system.ValidationResultType) error { return nil }

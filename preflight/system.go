package preflight

import (
	"context"
	"strings"

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

// verifySystem runs the validators that kubeadm runs. They look at the machine directly: the last one makes and removes a
// directory in the cgroup tree.
func verifySystem(kubeletVersion string) (warnings, errs []error) {
	for _, v := range []system.Validator{
		&system.OSValidator{Reporter: silent{}},
		&system.KernelValidator{Reporter: silent{}},
		&system.CgroupsValidator{Reporter: silent{}, KubeletVersion: kubeletVersion},
	} {
		w, e := v.Validate(system.DefaultSysSpec)
		warnings, errs = append(warnings, w...), append(errs, e...)
	}
	return warnings, errs
}

// silent drops the validators' report of everything that is right; what is wrong they return.
type silent struct{}

func (silent) Report(string, string, system.ValidationResultType) error { return nil }

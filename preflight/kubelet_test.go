package preflight

import (
	"context"
	"fmt"
	"os/exec"
	"testing"

	"github.com/kubewright/kubewright/systemd"
)

func TestKubelet(t *testing.T) {
	answer := func(version string, err error) func(*lab) {
		return func(l *lab) { l.m.KubeletVersion = func(context.Context) (string, error) { return version, err } }
	}
	testRows(t, []row{
		{"three minors older", "", answer("v1.34.9", nil), nil},
		{"too old", "", answer("v1.33.9", nil),
			[]string{"E KubeletVersion: kubelet v1.33.9 is more than 3 minors older than the control plane v1.37.2"}},
		{"newer", apiHeader + "kind: ClusterConfiguration\nkubernetesVersion: v1.36.3\n", answer("v1.37.0", nil),
			[]string{"E KubeletVersion: kubelet v1.37.0 is newer than the control plane v1.36.3"}},
		{"not installed", "", answer("", &exec.Error{Name: "kubelet", Err: exec.ErrNotFound}),
			[]string{"E KubeletVersion: the kubelet is not installed: there is no kubelet in PATH"}},
		{"does not run", "", answer("", fmt.Errorf("cannot run /usr/bin/kubelet --version: exit status 2")),
			[]string{"E KubeletVersion: cannot run /usr/bin/kubelet --version: exit status 2"}},
		{"slow", "", answer("", fmt.Errorf("cannot run /usr/bin/kubelet --version: %w", context.DeadlineExceeded)),
			[]string{"W KubeletVersion: cannot run /usr/bin/kubelet --version: context deadline exceeded"}},
		{"strange", "", answer("vX", nil), []string{`E KubeletVersion: cannot use the kubelet: cannot read version "vX": want the form v1.37.2`}},
		{"not known", "", func(l *lab) { l.m.KubeletVersion = nil }, nil},
	})
}

func TestKubeletService(t *testing.T) {
	const skip = apiHeader + "kind: InitConfiguration\nskipPhases: [kubelet-start]\n"
	noSystemd := func(l *lab) { l.m.Systemd = nil }
	masked := func(l *lab) {
		l.systemd.Set(systemd.Unit{Name: "kubelet.service", LoadState: "masked", UnitFileState: "masked"})
	}
	testRows(t, []row{
		{"missing: we write it", "", func(l *lab) { l.systemd.Set(systemd.Unit{Name: "kubelet.service", LoadState: "not-found"}) }, nil},
		{"disabled: we enable it", "", func(l *lab) { l.systemd.Set(systemd.Unit{Name: "kubelet.service", UnitFileState: "disabled"}) }, nil},
		{"masked", "", masked, []string{"E Service-kubelet: kubelet.service is masked: the kubelet can't be started"}},
		{"masked, and not to be started", skip, masked, []string{"W Service-kubelet: kubelet.service is masked: the kubelet can't be started"}},
		{"no systemd", "", noSystemd, []string{"E Service-kubelet: systemd can't be reached: the kubelet can't be started"}},
		{"no systemd, and not to be started", skip, noSystemd, []string{"W Service-kubelet: systemd can't be reached: the kubelet can't be started"}},
	})
}

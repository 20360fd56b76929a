package preflight

import (
	"context"
	"errors"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSystemVerification(t *testing.T) {
	testRows(t, []row{
		{"errors and warnings", "", func(l *lab) {
			l.m.VerifySystem = func(string) (warnings, errs []error) {
				return []error{errors.New("kernel release 4.4 is unsupported. \nNote")}, []error{errors.New("missing required cgroups: memory")}
			}
		}, []string{
			"E SystemVerification: missing required cgroups: memory",
			"W SystemVerification: kernel release 4.4 is unsupported. Note",
		}},
		{"cgroup version 1", "", onCgroupV1, []string{"E SystemVerification: cgroups v1 support is deprecated and will be removed"}},
		{"cgroup version 1, allowed", apiHeader + "kind: ClusterConfiguration\n---\napiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\nfailCgroupV1: false\n",
			onCgroupV1, []string{"W SystemVerification: cgroup version 1 is deprecated; the kubelet runs on it because failCgroupV1 is false"}},
		{"not known", "", func(l *lab) { l.m.VerifySystem = nil }, nil},
	})
}

// The validator of cgroups refuses a version with a v, and takes an empty one for an old kubelet.
func TestSystemVerificationGetsKubeletVersion(t *testing.T) {
	for _, tt := range []struct {
		answer string
		err    error
		want   string
	}{{"v1.37.2", nil, "1.37.2"}, {"v1.38.0-alpha.1+abc", nil, "1.38.0-alpha.1+abc"}, {"nonsense", nil, ""}, {"", errors.New("none"), ""}} {
		l := newLab(t, "")
		l.m.KubeletVersion = func(context.Context) (string, error) { return tt.answer, tt.err }
		got := "not called"
		l.m.VerifySystem = func(version string) (warnings, errs []error) {
			got = version
			return nil, nil
		}
		l.found()
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", tt.answer, diff)
		}
	}
}

func onCgroupV1(l *lab) {
	l.m.VerifySystem = func(string) (warnings, errs []error) {
		return nil, []error{errors.New("cgroups v1 support is deprecated and will be removed")}
	}
}

// TestLookOnly: the checks of a dry run touch nothing, and find what can be seen.
func TestLookOnly(t *testing.T) {
	l := newLab(t, "")
	l.m.Listen = func(context.Context, string) error { t.Error("it listened"); return nil }
	l.m.VerifySystem = func(string) (warnings, errs []error) { t.Error("it touched the system"); return nil, nil }
	l.m.Look = func(_ context.Context, address string) error {
		if address == ":6443" {
			return syscall.EADDRINUSE
		}
		return nil
	}
	l.m.InspectSystem = func(string) (warnings, errs []error) { return nil, []error{errors.New("an old kernel")} }
	l.m = l.m.LookOnly()
	want := []string{"E Port-6443: port 6443, which kube-apiserver needs, is taken", "E SystemVerification: an old kernel"}
	if diff := cmp.Diff(want, l.found()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestInspectingValidators: the kernel's validator loads a module where there is no file, and that of cgroups makes a
// directory in the tree of version 2.
func TestInspectingValidators(t *testing.T) {
	for _, tt := range []struct {
		kernel, cgroups bool
		want            string
	}{{true, true, "os kernel cgroups"}, {true, false, "os kernel"}, {false, true, "os cgroups"}, {false, false, "os"}} {
		var names []string
		for _, v := range validators("1.37.2", tt.kernel, tt.cgroups) {
			names = append(names, v.Name())
		}
		if got := strings.Join(names, " "); got != tt.want {
			t.Errorf("kernel %t, cgroups %t: %s, want %s", tt.kernel, tt.cgroups, got, tt.want)
		}
	}
}

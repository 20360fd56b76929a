package preflight

import (
	"context"
	"errors"
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

package phases

import (
	"context"
	"strings"
	"testing"

	"github.com/kubewright/kubewright/host/hosttest"
	"github.com/kubewright/kubewright/plan"
)

// TestAdminsAreBoundFirst: whichever phase is the first to talk to the cluster, the administrators get their rights before it.
func TestAdminsAreBoundFirst(t *testing.T) {
	const bind = "give group kubeadm:cluster-admins the role cluster-admin"
	without := func(skip ...string) func(*Facts) { return func(f *Facts) { f.Skip = skip } }
	for _, tc := range []struct {
		name, phase string
		change      func(*Facts)
		want        string // "phase: the step before which they are bound"; empty for nowhere
	}{
		{"init", "", without(), "wait-control-plane: give kube-controller-manager its role"},
		{"without waiting", "", without("wait-control-plane"), "upload-config: ConfigMap kube-system/kubeadm-config"},
		{"without upload-config", "", without("wait-control-plane", "upload-config"), "bootstrap-token: Secret kube-system/bootstrap-token-abcdef"},
		{"without more", "", without("wait-control-plane", "upload-config", "mark-control-plane", "bootstrap-token"), "addon: ServiceAccount kube-system/coredns"},
		{"without anything but the end", "", without("wait-control-plane", "upload-config", "bootstrap-token", "addon"),
			"mark-control-plane: wait until group kubeadm:cluster-admins may do what cluster-admin may"},
		{"a later phase alone", "bootstrap-token", without(), "bootstrap-token: Secret kube-system/bootstrap-token-abcdef"},
		{"a part alone", "addon/kube-proxy", without(), "addon: ServiceAccount kube-system/kube-proxy"},
		{"nothing of the cluster", "certs", without(), ""},
		{"credentials of the user", "bootstrap-token", func(f *Facts) { f.AdminKubeconfig = "/root/my.conf" }, ""},
		{"a cluster that is joined", "bootstrap-token", func(f *Facts) { f.Joining = &Joining{} }, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			list := Init()
			if tc.phase != "" {
				var err error
				if list, err = list.Select(tc.phase); err != nil {
					t.Fatal(err)
				}
			}
			f := facts(t, hosttest.New(t), minimal)
			f.Whole = tc.phase == ""
			tc.change(f)
			if _, err := f.PKI.Files("ca"); err != nil {
				t.Fatal(err)
			}
			p, err := list.Plan(context.Background(), f)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			talked := false
			for _, s := range p.Sections {
				for i, step := range s.Steps {
					if step.String() == bind {
						got = append(got, s.Phase+": "+s.Steps[i+1].String())
						if talked {
							t.Error("another step talks to the cluster before")
						}
					}
					talked = talked || plan.NeedsAPI(step)
				}
			}
			if strings.Join(got, "\n") != tc.want {
				t.Errorf("bound before %q, want %q", got, tc.want)
			}
		})
	}
}

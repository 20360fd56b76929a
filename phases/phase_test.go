package phases

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestNames holds the phases of init to kubeadm's names and order.
func TestNames(t *testing.T) {
	want := strings.Fields(`preflight
		certs certs/ca certs/apiserver certs/apiserver-kubelet-client certs/front-proxy-ca certs/front-proxy-client certs/etcd-ca
		certs/etcd-server certs/etcd-peer certs/etcd-healthcheck-client certs/apiserver-etcd-client certs/sa
		kubeconfig kubeconfig/admin kubeconfig/super-admin kubeconfig/kubelet kubeconfig/controller-manager kubeconfig/scheduler
		etcd etcd/local control-plane control-plane/apiserver control-plane/controller-manager control-plane/scheduler
		kubelet-start wait-control-plane upload-config upload-config/kubeadm upload-config/kubelet upload-certs mark-control-plane
		bootstrap-token kubelet-finalize kubelet-finalize/enable-client-cert-rotation addon addon/coredns addon/kube-proxy
		show-join-command`)
	if diff := cmp.Diff(want, Init().Names()); diff != "" {
		t.Error(diff)
	}
}

func TestSelect(t *testing.T) {
	for name, want := range map[string][]string{
		"certs/ca":      {"certs", "certs/ca"},
		"addon/all":     {"addon", "addon/coredns", "addon/kube-proxy"},
		"kubelet-start": {"kubelet-start"},
	} {
		c, err := Init().Select(name)
		if err != nil || !slices.Equal(c.Names(), want) {
			t.Errorf("%s: %v, %v", name, c.Names(), err)
		}
	}
	for _, name := range []string{"certs/nonsense", "nonsense", "certs/ca/x", ""} {
		if _, err := Init().Select(name); err == nil {
			t.Errorf("%q is a phase", name)
		}
	}
}

func TestCheckSkip(t *testing.T) {
	if err := Init().CheckSkip([]string{"certs", "addon/coredns"}); err != nil {
		t.Error(err)
	}
	if err := Init().CheckSkip([]string{"coredns"}); err == nil || !strings.Contains(err.Error(), `"coredns"`) {
		t.Errorf("%v", err)
	}
}

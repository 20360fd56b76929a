package config

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestImages(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		want       []string
	}{
		// What `kubeadm config images list` of 1.37.2 prints.
		{"default", "", []string{
			"registry.k8s.io/kube-apiserver:v1.37.2", "registry.k8s.io/kube-controller-manager:v1.37.2",
			"registry.k8s.io/kube-scheduler:v1.37.2", "registry.k8s.io/kube-proxy:v1.37.2",
			"registry.k8s.io/coredns/coredns:v1.14.6", "registry.k8s.io/pause:3.10.2", "registry.k8s.io/etcd:3.7.0-0",
		}},
		{"mirror, older, external etcd", `
kubernetesVersion: 1.36.3
imageRepository: mirror.example.com/k8s
etcd: {external: {endpoints: ["http://10.0.0.5:2379"], caFile: "", certFile: "", keyFile: ""}}`, []string{
			"mirror.example.com/k8s/kube-apiserver:v1.36.3", "mirror.example.com/k8s/kube-controller-manager:v1.36.3",
			"mirror.example.com/k8s/kube-scheduler:v1.36.3", "mirror.example.com/k8s/kube-proxy:v1.36.3",
			"mirror.example.com/k8s/coredns:v1.14.6", "mirror.example.com/k8s/pause:3.10.2",
		}},
		{"own images, no addons", `
imageRepository: mirror.example.com/k8s
dns: {disabled: true}
proxy: {disabled: true}
etcd: {local: {dataDir: /d, imageRepository: registry.example.com, imageTag: 3.6.8-0}}`, []string{
			"mirror.example.com/k8s/kube-apiserver:v1.37.2", "mirror.example.com/k8s/kube-controller-manager:v1.37.2",
			"mirror.example.com/k8s/kube-scheduler:v1.37.2", "mirror.example.com/k8s/pause:3.10.2", "registry.example.com/etcd:3.6.8-0",
		}},
		{"own dns", `
dns: {imageRepository: registry.example.com, imageTag: v9}
proxy: {disabled: true}
etcd: {external: {endpoints: ["http://10.0.0.5:2379"], caFile: "", certFile: "", keyFile: ""}}`, []string{
			"registry.k8s.io/kube-apiserver:v1.37.2", "registry.k8s.io/kube-controller-manager:v1.37.2",
			"registry.k8s.io/kube-scheduler:v1.37.2", "registry.example.com/coredns:v9", "registry.k8s.io/pause:3.10.2",
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := load(t, "apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\n"+tt.text)
			if diff := cmp.Diff(tt.want, c.Images()); diff != "" {
				t.Errorf("images (-want +got):\n%s", diff)
			}
		})
	}
}

func TestBuildImages(t *testing.T) {
	c, d := New(), machine()
	c.Cluster.KubernetesVersion, d.Version = "ci/latest", "v1.37.3-5+abc"
	ready(t, c, d)
	if got, want := c.Image(APIServer), "gcr.io/k8s-staging-ci-images/kube-apiserver:v1.37.3-5_abc"; got != want {
		t.Errorf("image %s, want %s", got, want)
	}
	if got, want := c.Image(Pause), "registry.k8s.io/pause:3.10.2"; got != want {
		t.Errorf("image %s, want %s", got, want)
	}
	if got := c.Image("nonsense"); got != "" {
		t.Errorf("image of nothing: %s", got)
	}
}

// Package config holds kubewright's input: the kubeadm.k8s.io/v1beta4 types, how they are read, defaulted and validated, and
// what follows from a version (images, skew). It is pure: no host, no client, no clock, no environment.
package config

import (
	"fmt"
	"slices"

	kubeproxyv1alpha1 "k8s.io/kube-proxy/config/v1alpha1"
	kubeletv1beta1 "k8s.io/kubelet/config/v1beta1"
)

// The component configurations, under the short names that our signatures use.
type (
	KubeletConfiguration   = kubeletv1beta1.KubeletConfiguration
	KubeProxyConfiguration = kubeproxyv1alpha1.KubeProxyConfiguration
)

// Config is the whole input of one run, whatever command it is for and wherever it came from.
type Config struct {
	Init    InitConfiguration
	Cluster ClusterConfiguration
	// Kubelet and Proxy are the component configurations after kubeadm's fields were filled in.
	Kubelet *KubeletConfiguration
	Proxy   *KubeProxyConfiguration
	// KubeletGiven and ProxyGiven say that the user gave the document; a generated one carries a hash in the cluster
	// so that an upgrade may regenerate it.
	KubeletGiven, ProxyGiven bool
	// CI says that kubernetesVersion was a CI build: the control plane's images come from the registry of CI builds.
	CI bool
	// SystemdResolved says that systemd-resolved runs on this machine, so that the kubelet must read its upstream list.
	SystemdResolved bool
	// Warnings are remarks about the input, to be printed once.
	Warnings []string
}

// New is the empty input: nothing given, nothing defaulted.
func New() *Config { return &Config{} }

// warn adds a remark unless it is there already, so that defaulting twice says things once.
func (c *Config) warn(format string, args ...any) { warnOnce(&c.Warnings, format, args...) }

func warnOnce(list *[]string, format string, args ...any) {
	if text := fmt.Sprintf(format, args...); !slices.Contains(*list, text) {
		*list = append(*list, text)
	}
}

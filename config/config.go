// Package config holds kubewright's input: the kubeadm.k8s.io/v1beta4 types, how they are read, defaulted and validated, and
// what follows from a version (images, skew). It is pure: no host, no client, no clock, no environment.
package config

import (
	kubeproxyv1alpha1 "k8s.io/kube-proxy/config/v1alpha1"
	kubeletv1beta1 "k8s.io/kubelet/config/v1beta1"
)

// Config is the whole input of one run, whatever command it is for and wherever it came from.
type Config struct {
	Init    InitConfiguration
	Cluster ClusterConfiguration
	// Kubelet and Proxy are the component configurations after kubeadm's fields were filled in.
	Kubelet *kubeletv1beta1.KubeletConfiguration
	Proxy   *kubeproxyv1alpha1.KubeProxyConfiguration
	// KubeletGiven and ProxyGiven say that the user gave the document; a generated one carries a hash in the cluster
	// so that an upgrade may regenerate it.
	KubeletGiven, ProxyGiven bool
	// Warnings are remarks about the input, to be printed once.
	Warnings []string
}

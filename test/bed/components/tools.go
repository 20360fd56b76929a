//go:build tools

// Package components pins the one program that is built from its own main package: kubeadm, the peer of the tests.
package components

import _ "k8s.io/kubernetes/cmd/kubeadm"

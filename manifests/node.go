// Package manifests builds what Kubernetes reads, as typed objects: the static pods of a control plane, the objects that
// init leaves in the cluster, the two addons, the kubelet's files; and lays users' patches over them. Names, fields and flags
// are kubeadm's, so that either tool finds its way in the other's cluster. It is pure: time, randomness and file contents come
// in as arguments.
package manifests

import (
	"path"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubewright/kubewright/config"
)

// HashAnnotation on a static pod holds a hash of the certificates, keys and kubeconfigs that its component reads. When one of
// them is renewed the manifest changes with it, and so the kubelet restarts the pod.
const HashAnnotation = "kubewright.io/mounted-files-hash"

// RenewedAnnotation is the same on a manifest that another tool or the user has written. It says nothing about whose the manifest is.
const RenewedAnnotation = "kubewright.io/renewed-files-hash"

// Node is what the static pods of one control-plane node depend on.
type Node struct {
	// Config is the defaulted and validated configuration.
	Config *config.Config
	// CADirs are those of the variable CADirs that this machine has.
	CADirs []string
	// Proxy are the proxy variables for the API server, the controller manager and the scheduler.
	Proxy []corev1.EnvVar
	// Hash is a digest of the contents of files, by path; nil leaves HashAnnotation out.
	Hash func(paths ...string) string
	// ExternalCA says that the key of the cluster's CA is not on this machine: the controller manager then signs nothing.
	ExternalCA bool
	// EtcdInitialCluster are the members of the etcd cluster that this node joins, itself among them, in etcd's order.
	// Empty means that this node starts a new cluster.
	EtcdInitialCluster []EtcdMember
}

// EtcdMember is one member in etcd's --initial-cluster.
type EtcdMember struct {
	// Name is the member's name: the name of its node.
	Name string
	// PeerURL is where the other members reach it, "https://192.0.2.1:2380".
	PeerURL string
}

// CADirs are the directories in which distributions keep root certificates, beside /etc/ssl/certs, which is always mounted.
// The API server and the controller manager see those that the machine has.
var CADirs = []string{
	"/etc/ca-certificates",
	"/etc/pki/ca-trust",
	"/etc/pki/tls/certs",
	"/usr/local/share/ca-certificates",
	"/usr/share/ca-certificates",
}

// pkiPath is a file of the PKI.
func (n Node) pkiPath(name string) string { return path.Join(n.Config.Cluster.CertificatesDir, name) }

// annotations are the given ones and the hash of the files that a component with this command line reads.
func (n Node) annotations(given map[string]string, command []string) map[string]string {
	if n.Hash == nil {
		return given
	}
	all := map[string]string{HashAnnotation: n.Hash(FilesOf(command)...)}
	for key, value := range given {
		all[key] = value
	}
	return all
}

// env merges lists of variables by name, later lists over earlier ones, sorted by name.
func env(lists ...[]corev1.EnvVar) []corev1.EnvVar {
	byName := map[string]corev1.EnvVar{}
	for _, list := range lists {
		for _, v := range list {
			byName[v.Name] = v
		}
	}
	var merged []corev1.EnvVar
	for _, v := range byName {
		merged = append(merged, v)
	}
	slices.SortFunc(merged, func(a, b corev1.EnvVar) int { return strings.Compare(a.Name, b.Name) })
	return merged
}

// given turns the configuration's variables into the API's.
func given(vars []config.EnvVar) []corev1.EnvVar {
	list := make([]corev1.EnvVar, 0, len(vars))
	for _, v := range vars {
		list = append(list, v.EnvVar)
	}
	return list
}

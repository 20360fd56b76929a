package phases

import (
	"context"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/kubewright/kubewright/config"
	"github.com/kubewright/kubewright/etcd"
	"github.com/kubewright/kubewright/host"
	"github.com/kubewright/kubewright/manifests"
)

// EtcdMembers is a list of members as etcd's manifest names them, by address: etcd's own order changes when one is added.
// One that has never started has no name yet; any will do.
func EtcdMembers(members []etcd.Member) []manifests.EtcdMember {
	var list []manifests.EtcdMember
	for _, m := range members {
		name := m.Name
		if name == "" {
			name = strconv.FormatUint(m.ID, 16)
		}
		for _, url := range m.PeerURLs {
			list = append(list, manifests.EtcdMember{Name: name, PeerURL: url})
		}
	}
	return byAddress(list)
}

func byAddress(list []manifests.EtcdMember) []manifests.EtcdMember {
	slices.SortFunc(list, func(a, b manifests.EtcdMember) int { return strings.Compare(a.PeerURL, b.PeerURL) })
	return list
}

// LostMember says that this machine's member is to be replaced by another one: it has run, its data is gone, and nobody answers.
func LostMember(ctx context.Context, f *Facts, e *etcd.Client, members []etcd.Member) bool {
	own := slices.IndexFunc(members, at(f.Config.EtcdPeerURL()))
	return own >= 0 && lost(ctx, f, e, members[own])
}

// InitialCluster is what the etcd of a joining node is told about its members: those that are there and itself. A member that
// has started, and is not lost, keeps what its manifest says, because etcd does not read it again.
func InitialCluster(h *host.Host, members []etcd.Member, lost bool, name, peerURL string) []manifests.EtcdMember {
	own := slices.IndexFunc(members, at(peerURL))
	if own >= 0 && members[own].Started() && !lost {
		if kept := initialClusterOnDisk(h); kept != nil {
			return kept
		}
	}
	list := EtcdMembers(members)
	if own < 0 {
		return byAddress(append(list, manifests.EtcdMember{Name: name, PeerURL: peerURL}))
	}
	for i := range list {
		if list[i].PeerURL == peerURL {
			list[i].Name = name
		}
	}
	return list
}

func initialClusterOnDisk(h *host.Host) []manifests.EtcdMember {
	flags := manifests.FlagsOf(CommandLine(etcdOnDisk(h)))
	if flags["initial-cluster-state"] != "existing" {
		return nil
	}
	var list []manifests.EtcdMember
	for _, member := range strings.Split(flags["initial-cluster"], ",") {
		if name, url, ok := strings.Cut(member, "="); ok {
			list = append(list, manifests.EtcdMember{Name: name, PeerURL: url})
		}
	}
	return list
}

// etcdOnDisk is etcd's static pod as its manifest on this machine says; nil when there is none, or none that can be read.
func etcdOnDisk(h *host.Host) *corev1.Pod {
	data, err := h.ReadFile(manifestPath(config.Etcd))
	if err != nil {
		return nil
	}
	return podOf(data)
}

// CommandLine is what a static pod runs, with the arguments that may stand apart; nil where there is no pod.
func CommandLine(pod *corev1.Pod) []string {
	if pod == nil {
		return nil
	}
	return slices.Concat(pod.Spec.Containers[0].Command, pod.Spec.Containers[0].Args)
}

// podOf is the pod of a manifest; nil when it is none.
func podOf(manifest []byte) *corev1.Pod {
	pod := &corev1.Pod{}
	if yaml.Unmarshal(manifest, pod) != nil || len(pod.Spec.Containers) == 0 {
		return nil
	}
	return pod
}

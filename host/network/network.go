// Package network finds and removes what kube-proxy, the kubelet and, when that is asked for, known CNI plug-ins leave in the
// kernel's network state of this machine. Rules, tables, services and links of others stay as they are, with their order,
// counters and handles: nothing is written again that was not ours, things are only deleted, by their name or handle.
package network

import "context"

// Part is one sort of thing that Kubernetes leaves in the kernel's network.
type Part struct {
	// Name says what it is, for people: "iptables chains of kube-proxy and the kubelet".
	Name string
	// Find returns a line for each thing that is there: "chain KUBE-SERVICES in table ip nat". It only looks.
	Find func(ctx context.Context) ([]string, error)
	// Remove removes all that Find finds. To find nothing is no error.
	Remove func(ctx context.Context) error
}

// Parts returns the parts in the order in which they can be removed: rules before the sets and counters that they name. With
// cni also those of known CNI plug-ins.
func Parts(cni bool) []Part {
	parts := []Part{
		tablesPart("nftables tables of kube-proxy", kubeTables),
		chainsPart("iptables chains of kube-proxy and the kubelet", kubeChains),
		legacyPart("legacy iptables chains of kube-proxy and the kubelet", kubeChains),
		setsPart("IP sets of kube-proxy", kubeSets),
		countersPart("nfacct counters of kube-proxy", kubeCounters),
		ipvsPart("IPVS services and link of kube-proxy"),
		linksPart("network links of cluster addons", kubeLinks),
	}
	if cni {
		parts = append(parts,
			tablesPart("nftables tables of CNI plug-ins", cniTables),
			chainsPart("iptables chains of CNI plug-ins", cniChains),
			legacyPart("legacy iptables chains of CNI plug-ins", cniChains),
			setsPart("IP sets of CNI plug-ins", cniSets),
			linksPart("network links of CNI plug-ins", cniLinks))
	}
	return parts
}

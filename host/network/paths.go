package network

// CNIPaths returns the files and directories in which CNI plug-ins keep configuration and state. Their programs, in
// /opt/cni/bin, are not among them: they were installed, often by a package, and not left behind.
func CNIPaths() []string {
	return []string{
		"/etc/cni/net.d",
		"/etc/cni/multus",
		"/var/lib/cni",
		"/run/cni",
		"/run/flannel",
		"/var/lib/calico",
		"/run/calico",
		"/var/lib/weave",
		"/run/weave",
		"/var/lib/cilium",
		"/run/cilium",
		"/run/antrea",
		"/var/lib/kube-router",
	}
}

// CNIMounts returns where CNI plug-ins mount the machine's cgroups once more, below their paths. They are to be unmounted before
// the paths are removed: what is behind them is the machine's own.
func CNIMounts() []string {
	return []string{"/run/calico/cgroup", "/run/cilium/cgroupv2"}
}

package templates

// DNS is what the Corefile depends on.
type DNS struct {
	// Domain is the cluster's DNS domain, as "cluster.local".
	Domain string
}

// Corefile is the configuration of CoreDNS: the plugins and values that kubeadm 1.37 sets (contract of the addon), so that an
// upgrade by either tool knows it for unchanged.
func Corefile(d DNS) ([]byte, error) { return render("Corefile.tmpl", d) }

package phases

import "github.com/kubewright/kubewright/pki"

// kubeconfig makes the credentials of the administrator, the kubelet and the components: one part for each row of the table.
func kubeconfig() Phase {
	ph := Phase{Name: "kubeconfig", About: "Generate the kubeconfig files of the control plane and the administrator"}
	for _, row := range pki.Kubeconfigs() {
		flags := []string{"apiserver-advertise-address", "apiserver-bind-port", "cert-dir", "config",
			"control-plane-endpoint", "dry-run", "kubeconfig-dir", "kubernetes-version"}
		if row.Name == "kubelet" {
			flags = append(flags, "node-name")
		}
		ph.Sub = append(ph.Sub, withRow(Phase{Name: row.Name, About: row.About, Flags: flags}, row))
	}
	return ph
}

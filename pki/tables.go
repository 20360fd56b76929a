// Package pki decides which keys, certificates and kubeconfigs a control-plane node has: what exists comes in, what to keep
// or to make goes out, as bytes. It is pure: it reads through a function and writes nothing.
package pki

import (
	"crypto/x509"
	"path"

	"github.com/kubewright/kubewright/config"
)

// Row is one line of a table: a certificate, or a kubeconfig. Its name is the name of its phase.
type Row struct {
	Name, About string
	// First is what the kubelet reads when it starts: a whole init makes it before that, and the others while it starts.
	First bool

	base     string // of a certificate: its path below certificatesDir, without suffix
	ca       string // the row of the signer; empty means self-signed
	ownEtcd  bool   // only for an etcd that we run
	cn       func(*config.Config) string
	org      []string
	usages   []x509.ExtKeyUsage
	sans     func(*config.Config) []string
	file     string // of a kubeconfig: its name
	endpoint func(*config.Config) string
	user     string
}

var (
	server = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	client = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	both   = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
)

// saRow is the name of the key pair that signs service account tokens. It has no certificate.
const saRow = "sa"

// kubeletRow is the kubelet's kubeconfig. Its certificate is a file of its own, because the kubelet replaces it.
const kubeletRow = "kubelet"

// Certificates is the certificate table, in the order of kubeadm's phases: signers before those that they sign.
func Certificates() []Row {
	return []Row{
		{Name: "ca", About: "Generate the CA of the cluster", First: true, base: "ca", cn: always("kubernetes")},
		{Name: "apiserver", About: "Generate the serving certificate of the API server",
			base: "apiserver", ca: "ca", cn: always("kube-apiserver"), usages: server, sans: apiServerNames},
		{Name: "apiserver-kubelet-client", About: "Generate the API server's client certificate for kubelets",
			base: "apiserver-kubelet-client", ca: "ca", cn: always("kube-apiserver-kubelet-client"), usages: client},
		{Name: "front-proxy-ca", About: "Generate the CA of the front proxy", base: "front-proxy-ca", cn: always("front-proxy-ca")},
		{Name: "front-proxy-client", About: "Generate the client certificate of the front proxy",
			base: "front-proxy-client", ca: "front-proxy-ca", cn: always("front-proxy-client"), usages: client},
		{Name: "etcd-ca", About: "Generate the CA of etcd", base: "etcd/ca", ownEtcd: true, cn: always("etcd-ca")},
		{Name: "etcd-server", About: "Generate the serving certificate of etcd",
			base: "etcd/server", ca: "etcd-ca", ownEtcd: true, cn: nodeName, usages: both, sans: etcdServerNames},
		{Name: "etcd-peer", About: "Generate the certificate with which etcd members talk to each other",
			base: "etcd/peer", ca: "etcd-ca", ownEtcd: true, cn: nodeName, usages: both, sans: etcdPeerNames},
		{Name: "etcd-healthcheck-client", About: "Generate the client certificate of etcd's probes",
			base: "etcd/healthcheck-client", ca: "etcd-ca", ownEtcd: true, cn: always("kube-etcd-healthcheck-client"), usages: client},
		{Name: "apiserver-etcd-client", About: "Generate the API server's client certificate for etcd",
			base: "apiserver-etcd-client", ca: "etcd-ca", ownEtcd: true, cn: always("kube-apiserver-etcd-client"), usages: client},
		{Name: saRow, About: "Generate the key pair that signs service account tokens", base: "sa"},
	}
}

// Kubeconfigs is the table of kubeconfigs. All their client certificates are signed by the CA of the cluster.
func Kubeconfigs() []Row {
	shared, local := (*config.Config).ControlPlaneURL, (*config.Config).LocalAPIURL
	return []Row{
		{Name: "admin", About: "Generate the administrator's kubeconfig", file: "admin.conf", ca: "ca", endpoint: shared,
			user: "kubernetes-admin", cn: always("kubernetes-admin"), org: []string{"kubeadm:cluster-admins"}, usages: client},
		{Name: "super-admin", About: "Generate a kubeconfig that goes round RBAC, for emergencies", file: "super-admin.conf", ca: "ca",
			endpoint: shared, user: "kubernetes-super-admin", cn: always("kubernetes-super-admin"), org: []string{"system:masters"}, usages: client},
		{Name: kubeletRow, About: "Generate the kubelet's kubeconfig, for this node only", First: true, file: "kubelet.conf",
			ca: "ca", endpoint: local, cn: kubeletUser, org: []string{"system:nodes"}, usages: client},
		{Name: "controller-manager", About: "Generate the controller manager's kubeconfig", file: "controller-manager.conf", ca: "ca",
			endpoint: local, user: "system:kube-controller-manager", cn: always("system:kube-controller-manager"), usages: client},
		{Name: "scheduler", About: "Generate the scheduler's kubeconfig", file: "scheduler.conf", ca: "ca",
			endpoint: local, user: "system:kube-scheduler", cn: always("system:kube-scheduler"), usages: client},
	}
}

func always(s string) func(*config.Config) string { return func(*config.Config) string { return s } }

func nodeName(c *config.Config) string { return c.Init.NodeRegistration.Name }

func kubeletUser(c *config.Config) string { return "system:node:" + nodeName(c) }

// paths of a certificate row, below the certificates directory.
func (r Row) certPath(dir string) string { return path.Join(dir, r.base+".crt") }
func (r Row) keyPath(dir string) string  { return path.Join(dir, r.base+".key") }

// requestPath is where a request to sign is.
func (r Row) requestPath(dir string) string { return path.Join(dir, r.base+".csr") }

// publicPath is the public half of a row that has no certificate.
func (r Row) publicPath(dir string) string { return path.Join(dir, r.base+".pub") }

// WellKnown are the paths of all files that are made in a directory of certificates, whatever the configuration. A CA's key comes
// last: as long as it is there, what is beside it is no external CA's.
func WellKnown(dir string) []string {
	var files, keys []string
	for _, r := range Certificates() {
		switch {
		case r.Name == saRow:
			files = append(files, r.publicPath(dir), r.keyPath(dir))
		case r.ca == "":
			files, keys = append(files, r.certPath(dir)), append(keys, r.keyPath(dir))
		default:
			files = append(files, r.certPath(dir), r.keyPath(dir))
		}
	}
	return append(files, keys...)
}

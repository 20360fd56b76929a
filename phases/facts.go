package phases

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/kubewright/kubewright/cluster"
	"github.com/kubewright/kubewright/config"
	"github.com/kubewright/kubewright/etcd"
	"github.com/kubewright/kubewright/host"
	"github.com/kubewright/kubewright/manifests"
	"github.com/kubewright/kubewright/pki"
	"github.com/kubewright/kubewright/plan"
	"github.com/kubewright/kubewright/preflight"
)

// Facts is all that phases know: what is wanted and what is there. It is gathered once, before the first phase is asked.
type Facts struct {
	// Config is what is wanted.
	Config *config.Config
	// Host is this machine's files.
	Host *host.Host
	// Runtime is nil when the container runtime can't be reached or is not to be asked.
	Runtime host.Runtime
	// PKI holds keys, certificates and kubeconfigs as they are or will be.
	PKI *pki.Set
	// Node is what the static pods need to know beside the configuration.
	Node manifests.Node
	// Patches are the user's patches.
	Patches manifests.Patched
	// Hostname is the machine's own name, in lower case.
	Hostname string
	// KubeletPath is where the kubelet's binary is.
	KubeletPath string
	// KubeletUnit says that there is a kubelet.service which is not ours.
	KubeletUnit bool
	// Now and Rand are the clock and the source of keys.
	Now  time.Time
	Rand io.Reader

	// Preflight has the checks' machine; nil skips them.
	Preflight *preflight.Machine
	// Listeners are the processes that listen on a TCP port; empty when they can't be found. Nil knows nothing.
	Listeners func(port int) []preflight.Process
	// Resume says what of the checks' findings is our own work.
	Resume preflight.Resume
	// PreflightReport is set by the preflight phase.
	PreflightReport *preflight.Report
	// Lenient reports preflight errors without stopping: a dry run shows the plan nevertheless.
	Lenient bool

	// Skip names phases that are left out.
	Skip []string
	// Named says that the user has named the phase that is run: Skip does not keep it from running, but an addon that is left
	// out elsewhere still counts as disabled in what is stored.
	Named bool
	// Whole says that the command is run as a whole and on this machine, so that its phases may be put in the order in which it is done
	// soonest.
	Whole bool
	// UploadCerts asks for the kubeadm-certs Secret, encrypted with CertificateKey.
	UploadCerts bool
	// CertificateKey is the key of the kubeadm-certs Secret.
	CertificateKey []byte
	// CertificateKeyGiven says that the user chose the key.
	CertificateKeyGiven bool
	// KeepCerts keeps a kubeadm-certs Secret that is there, when the user chose no key: init again uploads nothing.
	KeepCerts bool

	// Joining is set when this machine joins a cluster that is there.
	Joining *Joining

	// Resetting is set when what init or join made of this machine is taken back. Then only Host, Runtime, Skip, Named, Lenient and
	// Now are set beside it.
	Resetting *Resetting

	// Reversal is set when the last run is taken back. Then only Host, Runtime, Client, AdminKubeconfig, Lenient and Now are set beside it.
	Reversal *plan.Reversal

	// Renewing is set when certificates are renewed. Then only Config, Host, Runtime, PKI, Listeners, Now, Rand, Client,
	// AdminKubeconfig, KubeconfigDir and Lenient are set beside it.
	Renewing *Renewing

	// Client connects with one of the kubeconfigs, to this machine's API server.
	Client func(kubeconfigPath string) (*cluster.Client, error)
	// AdminKubeconfig is the path of the credentials that are used.
	AdminKubeconfig string
	// KubeconfigDir is where kubeconfigs are written.
	KubeconfigDir string
}

// Joining is what is known about the cluster that this machine joins.
type Joining struct {
	// ControlPlane says that the node is to be a control plane.
	ControlPlane bool
	// Endpoint is where the cluster is joined, "host:port".
	Endpoint string
	// CA is the cluster's CA certificate in PEM, and CACertPath where a worker keeps it.
	CA         []byte
	CACertPath string
	// BootstrapKubeconfig are the credentials with which the kubelet asks for its certificate.
	BootstrapKubeconfig []byte
	// Shared are the files that all control-plane nodes share, by path, as they were downloaded.
	Shared map[string]manifests.SharedFile
	// Refused says that the kubelet's credentials on this machine are not taken by the cluster any more: others are asked for.
	Refused bool
	// Skew is how far the API server's clock is ahead of this machine's.
	Skew time.Duration
	// Unregistered says that the machine has good credentials, and no Node: a kubelet registers only when it starts.
	Unregistered bool
	// Client is how the cluster was asked about this node. Nil is none.
	Client *cluster.Client
	// Etcd connects to the members of etcd that are there.
	Etcd func(ctx context.Context) (*etcd.Client, error)
	// Replace is the user's consent that this machine takes the place of a dead one of its name: a member of etcd that is left of
	// that is removed.
	Replace bool
	// Lock is held in the cluster while etcd's members are changed. Nil is none.
	Lock *cluster.Held
	// Abandon is set while the run may add a member to etcd, until that votes. It is for a run that does not come to its end: it
	// takes a member away that has never started, and says what it did, for people.
	Abandon func(ctx context.Context) (done string, err error)
}

// joinsControlPlane says that this machine becomes one more of several control planes.
func (f *Facts) joinsControlPlane() bool { return f.Joining != nil && f.Joining.ControlPlane }

// joinsEtcd says that this machine runs a member of an etcd that is there.
func (f *Facts) joinsEtcd() bool { return f.joinsControlPlane() && !f.Config.ExternalEtcd() }

// Skips says whether a phase, "addon" or "addon/coredns", is left out.
func (f *Facts) Skips(name string) bool {
	return slices.ContainsFunc(f.Skip, func(s string) bool {
		return strings.EqualFold(strings.TrimSpace(s), name)
	})
}

// superAdminPath is the kubeconfig that RBAC does not bind.
func (f *Facts) superAdminPath() string { return filepath.Join(f.KubeconfigDir, "super-admin.conf") }

// admin connects as the cluster's administrator.
func (f *Facts) admin(context.Context) (*cluster.Client, error) {
	return f.Client(f.AdminKubeconfig)
}

// tolerates says that a dry run goes on after this error: it does without what its user may not read.
func (f *Facts) tolerates(err error) bool { return f.Lenient && errors.Is(err, fs.ErrPermission) }

// Public is what everybody may know of the cluster: the URL of its control plane and its CA in PEM. It is what the
// administrator's kubeconfig says, which may know better than the configuration of a single phase; while there is none, the
// configuration.
func (f *Facts) Public() (server string, ca []byte, err error) {
	data := f.PKI.Data(f.AdminKubeconfig)
	if data == nil && f.Host.Exists(f.AdminKubeconfig) {
		if data, err = f.Host.ReadFile(f.AdminKubeconfig); err != nil && !f.tolerates(err) {
			return "", nil, err
		}
	}
	if data == nil {
		return f.Config.ControlPlaneURL(), f.PKI.Data(f.Config.Cluster.CertificatesDir + "/ca.crt"), nil
	}
	a, err := cluster.ReadAccess(data, f.Host.ReadFile)
	if err != nil {
		return "", nil, fmt.Errorf("cannot use %s: %w", f.AdminKubeconfig, err)
	}
	return a.Server, a.CA, nil
}

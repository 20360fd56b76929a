package phases

import (
	"context"
	"time"

	"github.com/kubewright/kubewright/cluster"
	"github.com/kubewright/kubewright/etcd"
	"github.com/kubewright/kubewright/host/network"
	"github.com/kubewright/kubewright/plan"
)

// Resetting is what is known of a node that is to be one no longer.
type Resetting struct {
	// Node is its name.
	Node string
	// Etcd is this machine's member of etcd; nil where none runs here.
	Etcd *EtcdMember
	// Cluster is how the cluster is asked about the node. Nil where nobody answers, or there is nothing to ask with.
	Cluster *cluster.Client
	// ControlPlanes are the names of the cluster's control-plane nodes; nil where they are not known.
	ControlPlanes []string
	// Machine tells this machine's Node from another one's of the same name.
	Machine cluster.Machine
	// Origin is what was there before kubewright changed it.
	Origin plan.Origin
	// Ours says that kubewright made the node, if any was made, so that what no journal names was there before.
	Ours bool

	// Settled is when the machine was given back the last time; zero for never. What is older was left then, on purpose.
	Settled time.Time

	// CertificatesDir is the cluster's.
	CertificatesDir string
	// KubeletDir is where the kubelet keeps everything, and KubeletCertDir its certificates.
	KubeletDir, KubeletCertDir string
	// UnmountFlags are those of umount(2) for what is mounted below KubeletDir.
	UnmountFlags int
	// CleanupTmp removes kubeadm's directory for temporary files and backups, too.
	CleanupTmp bool
	// CNI removes the configuration of the pod network, too, and the interfaces of the plug-ins that are known.
	CNI bool
	// Network finds what Kubernetes has left in the network of this machine's kernel. Nil is not to look.
	Network func(cni bool) []network.Part
	// NoRuntime is why the container runtime can't be asked.
	NoRuntime error
}

// EtcdMember is this machine's member of etcd, before it goes.
type EtcdMember struct {
	// DataDirs are where it keeps its data: by rights one, or two with a log of its own.
	DataDirs []string
	// Standing is what it is to its cluster.
	Standing etcd.Standing
	// Leave takes it out of the cluster, through the others, and Gone says whether they have no such member.
	Leave func(ctx context.Context, progress func(string)) error
	Gone  func(ctx context.Context) (bool, error)
	// Lock keeps others from changing the members meanwhile, as far as the cluster answers. It says what it goes on without.
	Lock func(ctx context.Context, progress func(string)) (unlock func(), err error)
	// Running says whether a process has the data open.
	Running func() (bool, error)
	// Wipe deletes the data instead of moving it aside.
	Wipe bool
	// MovedTo is where the data will be that is moved aside, once its phase has been asked.
	MovedTo []string
	// Regardless is the user's consent that the others may lose their quorum.
	Regardless bool
}

// LastOfCluster says that the data of the whole cluster goes with this machine.
func (r *Resetting) LastOfCluster() bool { return r.Etcd != nil && r.Etcd.Standing.Last() }

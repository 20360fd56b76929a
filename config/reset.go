package config

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// ResetConfiguration says how a machine is given back: what a run of reset removes, and how.
// It mirrors kubeadm.k8s.io/v1beta4 ResetConfiguration field for field.
type ResetConfiguration struct {
	metav1.TypeMeta `json:",inline"`

	// CleanupTmpDir also empties /etc/kubernetes/tmp, where kubeadm leaves backups.
	CleanupTmpDir bool `json:"cleanupTmpDir,omitempty"`
	// CertificatesDir is the directory of certificates that is emptied. Empty means that of the cluster, as its configuration or
	// the static pods of this machine tell it, and only if they do not, DefaultCertificatesDir: a value that was filled in
	// before they are read would hide where the keys really are.
	CertificatesDir string `json:"certificatesDir,omitempty"`
	// CRISocket is the container runtime's endpoint. Default: the one well-known socket that answers. Still empty after that
	// means that there is no runtime to ask.
	CRISocket string `json:"criSocket,omitempty"`
	// DryRun prints the plan and changes nothing.
	DryRun bool `json:"dryRun,omitempty"`
	// Force leaves the question to the user out.
	Force bool `json:"force,omitempty"`
	// IgnorePreflightErrors names checks whose errors become warnings.
	IgnorePreflightErrors []string `json:"ignorePreflightErrors,omitempty"`
	// SkipPhases names phases not to run; the flag --skip-phases wins over it.
	SkipPhases []string `json:"skipPhases,omitempty"`
	// UnmountFlags are flags of umount2(2) for what is mounted below the kubelet's directory, by the names of the constants here.
	UnmountFlags []string `json:"unmountFlags,omitempty"`
	// Timeouts bound the waits of this run.
	Timeouts *Timeouts `json:"timeouts,omitempty"`
}

// The values of UnmountFlags, by their names in umount2(2).
const (
	// UnmountForce aborts requests that a file system such as NFS waits for. Data may be lost.
	UnmountForce = "MNT_FORCE"
	// UnmountDetach takes the mount out of sight at once, and ends it when nobody uses it any more.
	UnmountDetach = "MNT_DETACH"
	// UnmountExpire ends a mount only if nobody has used it since an earlier call with this flag.
	UnmountExpire = "MNT_EXPIRE"
	// UnmountNoFollow does not follow a symbolic link.
	UnmountNoFollow = "UMOUNT_NOFOLLOW"
)

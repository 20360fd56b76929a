package config

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// JoinConfiguration says how a machine finds a cluster, why it trusts it, and how it registers as a Node.
// It mirrors kubeadm.k8s.io/v1beta4 JoinConfiguration field for field.
type JoinConfiguration struct {
	metav1.TypeMeta `json:",inline"`

	// DryRun prints the plan and changes nothing.
	DryRun bool `json:"dryRun,omitempty"`
	// NodeRegistration says how this machine registers as a Node.
	NodeRegistration NodeRegistrationOptions `json:"nodeRegistration,omitempty"`
	// CACertPath is where the cluster's CA certificate is put. Default /etc/kubernetes/pki/ca.crt.
	CACertPath string `json:"caCertPath,omitempty"`
	// Discovery says how the cluster is found and trusted.
	Discovery Discovery `json:"discovery"`
	// ControlPlane makes the machine another control-plane node. Nil means a worker.
	ControlPlane *JoinControlPlane `json:"controlPlane,omitempty"`
	// SkipPhases names phases not to run; the flag --skip-phases wins over it.
	SkipPhases []string `json:"skipPhases,omitempty"`
	// Patches names a directory of patches for the files that are written.
	Patches *Patches `json:"patches,omitempty"`
	// Timeouts bound the waits of this run.
	Timeouts *Timeouts `json:"timeouts,omitempty"`
}

// JoinControlPlane holds what a control-plane node needs besides what every node needs.
type JoinControlPlane struct {
	// LocalAPIEndpoint is where the API server of this machine will listen.
	LocalAPIEndpoint APIEndpoint `json:"localAPIEndpoint,omitempty"`
	// CertificateKey opens the kubeadm-certs Secret: 32 bytes as 64 hexadecimal digits. Empty means that the shared
	// certificates are on this machine already. It is a secret.
	CertificateKey string `json:"certificateKey,omitempty"`
}

// Discovery says how the cluster is found and trusted: by a bootstrap token or by a kubeconfig file.
type Discovery struct {
	// BootstrapToken finds the cluster through the public ConfigMap cluster-info. It excludes File.
	BootstrapToken *BootstrapTokenDiscovery `json:"bootstrapToken,omitempty"`
	// File finds the cluster through a kubeconfig. It excludes BootstrapToken.
	File *FileDiscovery `json:"file,omitempty"`
	// TLSBootstrapToken is the token with which the kubelet asks for its certificate, a secret. Default: the token of
	// BootstrapToken.
	TLSBootstrapToken string `json:"tlsBootstrapToken,omitempty"`
}

// BootstrapTokenDiscovery trusts the cluster because it knows a token, and because its CA is one of the pinned ones.
type BootstrapTokenDiscovery struct {
	// Token is "id.secret".
	Token string `json:"token"`
	// APIServerEndpoint is host:port of an API server.
	APIServerEndpoint string `json:"apiServerEndpoint,omitempty"`
	// CACertHashes are pins of the CA's public key, "sha256:" and 64 hexadecimal digits; one of them must match.
	CACertHashes []string `json:"caCertHashes,omitempty"`
	// UnsafeSkipCAVerification allows to leave the pins out. Whoever knows the token can then stand in for the cluster.
	UnsafeSkipCAVerification bool `json:"unsafeSkipCAVerification,omitempty"`
}

// FileDiscovery trusts the cluster that a kubeconfig names.
type FileDiscovery struct {
	// KubeConfigPath is a path on this machine, with or without file://, or an https URL.
	KubeConfigPath string `json:"kubeConfigPath"`
}

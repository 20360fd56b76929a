package config

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// InitConfiguration holds what is particular to the first control-plane node and to one run of init.
// It mirrors kubeadm.k8s.io/v1beta4 InitConfiguration field for field.
type InitConfiguration struct {
	metav1.TypeMeta `json:",inline"`

	// BootstrapTokens are created in the cluster for nodes to join with. Default: one random token.
	BootstrapTokens []BootstrapToken `json:"bootstrapTokens,omitempty"`
	// DryRun prints the plan and changes nothing.
	DryRun bool `json:"dryRun,omitempty"`
	// NodeRegistration says how this machine registers as a Node.
	NodeRegistration NodeRegistrationOptions `json:"nodeRegistration,omitempty"`
	// LocalAPIEndpoint is where the API server of this machine listens.
	LocalAPIEndpoint APIEndpoint `json:"localAPIEndpoint,omitempty"`
	// CertificateKey encrypts the kubeadm-certs Secret: 32 bytes as 64 hexadecimal digits. Default: random, when needed.
	CertificateKey string `json:"certificateKey,omitempty"`
	// SkipPhases names phases not to run; the flag --skip-phases wins over it.
	SkipPhases []string `json:"skipPhases,omitempty"`
	// Patches names a directory of patches for the files that are written.
	Patches *Patches `json:"patches,omitempty"`
	// Timeouts bound the waits of this run; they are not stored in the cluster.
	Timeouts *Timeouts `json:"timeouts,omitempty"`
}

// APIEndpoint is the address and port of one API server.
type APIEndpoint struct {
	// AdvertiseAddress is the IP address that the API server announces. Default: the address of the default route's interface.
	AdvertiseAddress string `json:"advertiseAddress,omitempty"`
	// BindPort is the secure port. Default 6443.
	BindPort int32 `json:"bindPort,omitempty"`
}

// NodeRegistrationOptions says how a machine registers as a Node, for init and join.
type NodeRegistrationOptions struct {
	// Name is the Node's name. Default: the host name in lower case.
	Name string `json:"name,omitempty"`
	// CRISocket is the container runtime's endpoint. Default: the one well-known socket that answers.
	CRISocket string `json:"criSocket,omitempty"`
	// Taints are the Node's taints. Nil means the control-plane taint on a control plane; an empty list means none.
	Taints []corev1.Taint `json:"taints"`
	// KubeletExtraArgs are passed to the kubelet through kubeadm-flags.env, in order.
	KubeletExtraArgs []Arg `json:"kubeletExtraArgs,omitempty"`
	// IgnorePreflightErrors names checks whose errors become warnings.
	IgnorePreflightErrors []string `json:"ignorePreflightErrors,omitempty"`
	// ImagePullPolicy is Always, IfNotPresent (the default) or Never, for the pull before the components start.
	ImagePullPolicy corev1.PullPolicy `json:"imagePullPolicy,omitempty"`
	// ImagePullSerial pulls one image at a time. Default true.
	ImagePullSerial *bool `json:"imagePullSerial,omitempty"`
}

// Patches names a directory of patch files called <target>[suffix][+strategic|merge|json].{yaml|json}.
type Patches struct {
	Directory string `json:"directory,omitempty"`
}

// Timeouts bound the waits of one run.
type Timeouts struct {
	// ControlPlaneComponentHealthCheck bounds the wait for each control-plane component. Default 4m.
	ControlPlaneComponentHealthCheck *metav1.Duration `json:"controlPlaneComponentHealthCheck,omitempty"`
	// KubeletHealthCheck bounds the wait for the kubelet's /healthz. Default 4m.
	KubeletHealthCheck *metav1.Duration `json:"kubeletHealthCheck,omitempty"`
	// KubernetesAPICall bounds one write to the API server with its retries. Default 1m.
	KubernetesAPICall *metav1.Duration `json:"kubernetesAPICall,omitempty"`
	// EtcdAPICall bounds one etcd operation with its retries. Default 2m.
	EtcdAPICall *metav1.Duration `json:"etcdAPICall,omitempty"`
	// TLSBootstrap bounds the wait for the kubelet's client certificate. Default 5m.
	TLSBootstrap *metav1.Duration `json:"tlsBootstrap,omitempty"`
	// Discovery bounds discovery of the cluster by a joining node. Default 5m.
	Discovery *metav1.Duration `json:"discovery,omitempty"`
	// UpgradeManifests bounds the wait for one upgraded static pod. Default 5m.
	UpgradeManifests *metav1.Duration `json:"upgradeManifests,omitempty"`
}

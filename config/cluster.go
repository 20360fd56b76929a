package config

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ClusterConfiguration holds what all control-plane nodes share; it is stored in the ConfigMap kubeadm-config.
// It mirrors kubeadm.k8s.io/v1beta4 ClusterConfiguration field for field.
type ClusterConfiguration struct {
	metav1.TypeMeta `json:",inline"`

	// Etcd is either local (the default) or external.
	Etcd EtcdOptions `json:"etcd,omitempty"`
	// Networking holds the cluster's subnets and DNS domain.
	Networking Networking `json:"networking,omitempty"`
	// KubernetesVersion is the version of the control plane, "v1.37.2", or a label such as "stable-1".
	KubernetesVersion string `json:"kubernetesVersion,omitempty"`
	// ControlPlaneEndpoint is the stable host or host:port shared by all control-plane nodes.
	ControlPlaneEndpoint string `json:"controlPlaneEndpoint,omitempty"`
	// APIServer, ControllerManager and Scheduler change the static pods of the components.
	APIServer         APIServerOptions      `json:"apiServer,omitempty"`
	ControllerManager ControlPlaneComponent `json:"controllerManager,omitempty"`
	Scheduler         ControlPlaneComponent `json:"scheduler,omitempty"`
	// DNS and Proxy are the two addons.
	DNS   DNS   `json:"dns,omitempty"`
	Proxy Proxy `json:"proxy,omitempty"`
	// CertificatesDir holds the PKI. Default /etc/kubernetes/pki.
	CertificatesDir string `json:"certificatesDir,omitempty"`
	// ImageRepository is the registry prefix of the images. Default registry.k8s.io.
	ImageRepository string `json:"imageRepository,omitempty"`
	// FeatureGates are kubeadm's feature gates.
	FeatureGates map[string]bool `json:"featureGates,omitempty"`
	// ClusterName appears in kubeconfigs and as --cluster-name. Default kubernetes.
	ClusterName string `json:"clusterName,omitempty"`
	// EncryptionAlgorithm is the key type of everything in the PKI. Default ECDSA-P256 (kubeadm's is RSA-2048).
	EncryptionAlgorithm EncryptionAlgorithmType `json:"encryptionAlgorithm,omitempty"`
	// CertificateValidityPeriod is the lifetime of leaf certificates. Default 8760h.
	CertificateValidityPeriod *metav1.Duration `json:"certificateValidityPeriod,omitempty"`
	// CACertificateValidityPeriod is the lifetime of certificate authorities. Default 87600h.
	CACertificateValidityPeriod *metav1.Duration `json:"caCertificateValidityPeriod,omitempty"`
}

// ControlPlaneComponent holds changes to the static pod of one component.
type ControlPlaneComponent struct {
	ExtraArgs    []Arg           `json:"extraArgs,omitempty"`
	ExtraVolumes []HostPathMount `json:"extraVolumes,omitempty"`
	ExtraEnvs    []EnvVar        `json:"extraEnvs,omitempty"`
}

// APIServerOptions is ControlPlaneComponent with the extra names of the serving certificate.
type APIServerOptions struct {
	ControlPlaneComponent `json:",inline"`
	CertSANs              []string `json:"certSANs,omitempty"`
}

// DNS configures the CoreDNS addon.
type DNS struct {
	ImageMeta `json:",inline"`
	Disabled  bool `json:"disabled,omitempty"`
}

// Proxy configures the kube-proxy addon.
type Proxy struct {
	Disabled bool `json:"disabled,omitempty"`
}

// ImageMeta changes where one image comes from. Empty fields mean the built-in values.
type ImageMeta struct {
	ImageRepository string `json:"imageRepository,omitempty"`
	ImageTag        string `json:"imageTag,omitempty"`
}

// Networking holds the cluster's subnets and DNS domain.
type Networking struct {
	// ServiceSubnet is one CIDR, or one per family separated by a comma. Default 10.96.0.0/12.
	ServiceSubnet string `json:"serviceSubnet,omitempty"`
	// PodSubnet is none, one or two CIDRs.
	PodSubnet string `json:"podSubnet,omitempty"`
	// DNSDomain is the cluster's domain. Default cluster.local.
	DNSDomain string `json:"dnsDomain,omitempty"`
}

// EtcdOptions is either local or external.
type EtcdOptions struct {
	Local    *LocalEtcd    `json:"local,omitempty"`
	External *ExternalEtcd `json:"external,omitempty"`
}

// LocalEtcd is an etcd member that runs as a static pod on each control-plane node.
type LocalEtcd struct {
	ImageMeta `json:",inline"`
	// DataDir is the member's data directory. Default /var/lib/etcd.
	DataDir        string   `json:"dataDir"`
	ExtraArgs      []Arg    `json:"extraArgs,omitempty"`
	ExtraEnvs      []EnvVar `json:"extraEnvs,omitempty"`
	ServerCertSANs []string `json:"serverCertSANs,omitempty"`
	PeerCertSANs   []string `json:"peerCertSANs,omitempty"`
}

// ExternalEtcd is an etcd cluster that somebody else runs.
type ExternalEtcd struct {
	Endpoints []string `json:"endpoints"`
	// HTTPEndpoints are used to ask for the version. Default: Endpoints.
	HTTPEndpoints []string `json:"httpEndpoints,omitempty"`
	CAFile        string   `json:"caFile"`
	CertFile      string   `json:"certFile"`
	KeyFile       string   `json:"keyFile"`
}

// HostPathMount mounts a path of the host into a static pod.
type HostPathMount struct {
	Name      string              `json:"name"`
	HostPath  string              `json:"hostPath"`
	MountPath string              `json:"mountPath"`
	ReadOnly  bool                `json:"readOnly,omitempty"`
	PathType  corev1.HostPathType `json:"pathType,omitempty"`
}

// Arg is one command-line flag without its dashes.
type Arg struct {
	Name  string `json:"name"`
	Value string `json:"value"`
	// MergeMethod says what becomes of the value that the component would have without this argument. Only the experimental
	// version kubeadm.k8s.io/v1 has it.
	MergeMethod ArgMergeMethod `json:"mergeMethod,omitempty"`
}

// ArgMergeMethod is how an argument meets the one of the same name that is there by itself.
type ArgMergeMethod string

// The values of MergeMethod.
const (
	// ArgReplace takes the place of the other one.
	ArgReplace ArgMergeMethod = ""
	// ArgAppend and ArgPrepend put the text after the other value, or before it, and nothing between them. Where there is no other
	// one they do nothing; of several for one name the last counts.
	ArgAppend  ArgMergeMethod = "append"
	ArgPrepend ArgMergeMethod = "prepend"
)

// EnvVar is one environment variable of a container.
type EnvVar struct {
	corev1.EnvVar `json:",inline"`
}

// EncryptionAlgorithmType names a type and size of key.
type EncryptionAlgorithmType string

// The key types that kubeadm.k8s.io/v1beta4 knows.
const (
	EncryptionAlgorithmECDSAP256 EncryptionAlgorithmType = "ECDSA-P256"
	EncryptionAlgorithmECDSAP384 EncryptionAlgorithmType = "ECDSA-P384"
	EncryptionAlgorithmRSA2048   EncryptionAlgorithmType = "RSA-2048"
	EncryptionAlgorithmRSA3072   EncryptionAlgorithmType = "RSA-3072"
	EncryptionAlgorithmRSA4096   EncryptionAlgorithmType = "RSA-4096"
)

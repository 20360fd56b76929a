package config

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// UpgradeConfiguration says how a cluster, or a node of it, is brought to another version.
// It mirrors kubeadm.k8s.io/v1beta4 UpgradeConfiguration field for field.
type UpgradeConfiguration struct {
	metav1.TypeMeta `json:",inline"`

	// Apply is for upgrade apply, Diff for upgrade diff, Node for upgrade node, Plan for upgrade plan.
	Apply UpgradeApplyConfiguration `json:"apply,omitempty"`
	Diff  UpgradeDiffConfiguration  `json:"diff,omitempty"`
	Node  UpgradeNodeConfiguration  `json:"node,omitempty"`
	Plan  UpgradePlanConfiguration  `json:"plan,omitempty"`
	// Timeouts bound the waits of each of them.
	Timeouts *Timeouts `json:"timeouts,omitempty"`
}

// UpgradeApplyConfiguration is what upgrade apply takes: the first control-plane node, and what the cluster keeps of itself.
type UpgradeApplyConfiguration struct {
	// KubernetesVersion is the version to upgrade to, or a label; the argument of the command wins over it.
	KubernetesVersion string `json:"kubernetesVersion,omitempty"`
	// AllowExperimentalUpgrades and AllowRCUpgrades allow pre-releases as targets; the second one only release candidates.
	AllowExperimentalUpgrades *bool `json:"allowExperimentalUpgrades,omitempty"`
	AllowRCUpgrades           *bool `json:"allowRCUpgrades,omitempty"`
	// CertificateRenewal renews the certificates of the components that are upgraded. Default true.
	CertificateRenewal *bool `json:"certificateRenewal,omitempty"`
	// DryRun prints the plan and changes nothing.
	DryRun *bool `json:"dryRun,omitempty"`
	// EtcdUpgrade upgrades etcd, too. Default true.
	EtcdUpgrade *bool `json:"etcdUpgrade,omitempty"`
	// ForceUpgrade goes on where a rule about versions says no, and asks nothing.
	ForceUpgrade *bool `json:"forceUpgrade,omitempty"`
	// IgnorePreflightErrors names checks whose errors become warnings.
	IgnorePreflightErrors []string `json:"ignorePreflightErrors,omitempty"`
	// Patches names a directory of patches for the files that are written; an absolute path.
	Patches *Patches `json:"patches,omitempty"`
	// PrintConfig prints the configuration that is used.
	PrintConfig *bool `json:"printConfig,omitempty"`
	// SkipPhases names phases not to run; the flag --skip-phases wins over it.
	SkipPhases []string `json:"skipPhases,omitempty"`
	// ImagePullPolicy is Always, IfNotPresent (the default) or Never.
	ImagePullPolicy corev1.PullPolicy `json:"imagePullPolicy,omitempty"`
	// ImagePullSerial pulls one image at a time. Default true.
	ImagePullSerial *bool `json:"imagePullSerial,omitempty"`
}

// UpgradeDiffConfiguration is what upgrade diff takes.
type UpgradeDiffConfiguration struct {
	// KubernetesVersion is the version to compare with, or a label.
	KubernetesVersion string `json:"kubernetesVersion,omitempty"`
	// ContextLines is how many lines around a difference are shown.
	ContextLines int `json:"contextLines,omitempty"`
}

// UpgradeNodeConfiguration is what upgrade node takes: any other node. The fields mean the same as for apply.
type UpgradeNodeConfiguration struct {
	CertificateRenewal    *bool             `json:"certificateRenewal,omitempty"`
	DryRun                *bool             `json:"dryRun,omitempty"`
	EtcdUpgrade           *bool             `json:"etcdUpgrade,omitempty"`
	IgnorePreflightErrors []string          `json:"ignorePreflightErrors,omitempty"`
	SkipPhases            []string          `json:"skipPhases,omitempty"`
	Patches               *Patches          `json:"patches,omitempty"`
	ImagePullPolicy       corev1.PullPolicy `json:"imagePullPolicy,omitempty"`
	ImagePullSerial       *bool             `json:"imagePullSerial,omitempty"`
}

// UpgradePlanConfiguration is what upgrade plan takes. The fields mean the same as for apply.
type UpgradePlanConfiguration struct {
	KubernetesVersion         string   `json:"kubernetesVersion,omitempty"`
	AllowExperimentalUpgrades *bool    `json:"allowExperimentalUpgrades,omitempty"`
	AllowRCUpgrades           *bool    `json:"allowRCUpgrades,omitempty"`
	DryRun                    *bool    `json:"dryRun,omitempty"`
	EtcdUpgrade               *bool    `json:"etcdUpgrade,omitempty"`
	IgnorePreflightErrors     []string `json:"ignorePreflightErrors,omitempty"`
	PrintConfig               *bool    `json:"printConfig,omitempty"`
}

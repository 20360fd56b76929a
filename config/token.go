package config

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// BootstrapToken lets nodes find and trust the cluster and ask for a kubelet certificate (KEP-130).
type BootstrapToken struct {
	// Token is "id.secret". Default: random.
	Token *BootstrapTokenString `json:"token"`
	// Description is for people.
	Description string `json:"description,omitempty"`
	// TTL is the lifetime; 0 means forever. Default 24h. It excludes Expires.
	TTL *metav1.Duration `json:"ttl,omitempty"`
	// Expires is the end of life as a time.
	Expires *metav1.Time `json:"expires,omitempty"`
	// Usages are "signing" and "authentication". Default: both.
	Usages []string `json:"usages,omitempty"`
	// Groups are added to whoever authenticates with the token. Default: NodeBootstrapTokenAuthGroup.
	Groups []string `json:"groups,omitempty"`
}

// BootstrapTokenString is a token in its two parts; in YAML it is one string, "id.secret".
type BootstrapTokenString struct {
	ID     string `json:"-"`
	Secret string `json:"-"`
}

package manifests

import (
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	bootstrapapi "k8s.io/cluster-bootstrap/token/api"
	bootstraputil "k8s.io/cluster-bootstrap/token/util"

	"github.com/kubewright/kubewright/config"
)

// BootstrapTokens are the Secrets of the configured bootstrap tokens. A lifetime counts from now. A token without a value is
// an error: defaulting makes them.
func BootstrapTokens(c *config.Config, now time.Time) ([]*corev1.Secret, error) {
	var list []*corev1.Secret
	for i, t := range c.Init.BootstrapTokens {
		if t.Token == nil || t.Token.String() == "" {
			return nil, fmt.Errorf("cannot render bootstrap token %d: it has no value", i)
		}
		list = append(list, tokenSecret(t, now))
	}
	return list, nil
}

func tokenSecret(t config.BootstrapToken, now time.Time) *corev1.Secret {
	data := map[string][]byte{
		bootstrapapi.BootstrapTokenIDKey:     []byte(t.Token.ID),
		bootstrapapi.BootstrapTokenSecretKey: []byte(t.Token.Secret),
	}
	if t.Description != "" {
		data[bootstrapapi.BootstrapTokenDescriptionKey] = []byte(t.Description)
	}
	var end time.Time
	switch {
	case t.Expires != nil:
		end = t.Expires.Time
	case t.TTL != nil && t.TTL.Duration > 0:
		end = now.Add(t.TTL.Duration)
	}
	if !end.IsZero() {
		data[bootstrapapi.BootstrapTokenExpirationKey] = []byte(end.UTC().Format(time.RFC3339))
	}
	for _, usage := range t.Usages {
		data[bootstrapapi.BootstrapTokenUsagePrefix+usage] = []byte("true")
	}
	if len(t.Groups) > 0 {
		data[bootstrapapi.BootstrapTokenExtraGroupsKey] = []byte(strings.Join(t.Groups, ","))
	}
	return secret(metav1.NamespaceSystem, bootstraputil.BootstrapTokenSecretName(t.Token.ID), bootstrapapi.SecretTypeBootstrapToken, data)
}

// BootstrapTokenRBAC lets holders of a bootstrap token read nodes and ask for a kubelet's certificate, has the controller
// manager sign such certificates and renew them, and lets the API server use the kubelets' API.
func BootstrapTokenRBAC(*config.Config) []runtime.Object {
	const csr = "system:certificates.k8s.io:certificatesigningrequests:"
	holders := group(config.NodeBootstrapTokenAuthGroup)
	return []runtime.Object{
		clusterRole("kubeadm:get-nodes", rbacv1.PolicyRule{
			Verbs: []string{"get"}, APIGroups: []string{""}, Resources: []string{"nodes"},
		}),
		clusterBinding("kubeadm:get-nodes", "kubeadm:get-nodes", holders),
		clusterBinding("kubeadm:kubelet-bootstrap", "system:node-bootstrapper", holders),
		clusterBinding("kubeadm:node-autoapprove-bootstrap", csr+"nodeclient", holders),
		clusterBinding("kubeadm:node-autoapprove-certificate-rotation", csr+"selfnodeclient", group(nodesGroup)),
		clusterBinding("kubeadm:apiserver-kubelet-client", "system:kubelet-api-admin", user("kube-apiserver-kubelet-client")),
	}
}

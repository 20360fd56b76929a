package manifests

import (
	"errors"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientcmdv1 "k8s.io/client-go/tools/clientcmd/api/v1"
	bootstrapapi "k8s.io/cluster-bootstrap/token/api"
	"k8s.io/cluster-bootstrap/token/jws"
	"sigs.k8s.io/yaml"

	"github.com/kubewright/kubewright/config"
)

// ClusterInfo is the public ConfigMap cluster-info, by which a joining node finds the API server and its CA, and the Role and
// RoleBinding that let everybody read it. The controller manager adds signatures to it, so it is not to be overwritten.
// server is the URL at which nodes reach the control plane.
func ClusterInfo(server string, caPEM []byte) ([]runtime.Object, error) {
	if len(caPEM) == 0 {
		return nil, errors.New("cannot render ConfigMap cluster-info: the certificate of the cluster's CA is missing\n" +
			"make it with: kubewright init phase certs ca")
	}
	kubeconfig, err := encodeKubeconfig(clientcmdv1.Config{
		Clusters: []clientcmdv1.NamedCluster{{
			Cluster: clientcmdv1.Cluster{Server: server, CertificateAuthorityData: caPEM},
		}},
	})
	if err != nil {
		return nil, err
	}
	name := bootstrapapi.ConfigMapClusterInfo
	cm := configMap(metav1.NamespacePublic, name, map[string]string{bootstrapapi.KubeConfigKey: kubeconfig})
	rbac := readers(metav1.NamespacePublic, "kubeadm:bootstrap-signer-clusterinfo", "configmaps", name, user("system:anonymous"))
	return append([]runtime.Object{cm}, rbac...), nil
}

// SignClusterInfo puts the signatures of those tokens into a new cluster-info that are for signing: who knows the token can tell by it
// that the kubeconfig there is the cluster's. They are no secrets. The controller manager's signer computes the same, and keeps them.
func SignClusterInfo(info *corev1.ConfigMap, tokens []config.BootstrapToken) error {
	for _, t := range tokens {
		if !slices.Contains(t.Usages, "signing") {
			continue
		}
		signature, err := jws.ComputeDetachedSignature(info.Data[bootstrapapi.KubeConfigKey], t.Token.ID, t.Token.Secret)
		if err != nil {
			return fmt.Errorf("cannot sign cluster-info with token %s: %w", t.Token.ID, err)
		}
		info.Data[bootstrapapi.JWSSignatureKeyPrefix+t.Token.ID] = signature
	}
	return nil
}

func encodeKubeconfig(k clientcmdv1.Config) (string, error) {
	k.APIVersion, k.Kind = clientcmdv1.SchemeGroupVersion.Version, "Config"
	data, err := yaml.Marshal(k)
	if err != nil {
		return "", fmt.Errorf("cannot encode a kubeconfig: %w", err)
	}
	return string(data), nil
}

package manifests

import (
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kubewright/kubewright/config"
)

const (
	kubeadmConfigName = "kubeadm-config"
	kubeletConfigName = "kubelet-config"
	adminsGroup       = "kubeadm:cluster-admins"
)

// AdminBinding gives the group of admin.conf the role cluster-admin.
func AdminBinding() *rbacv1.ClusterRoleBinding {
	return clusterBinding(adminsGroup, "cluster-admin", group(adminsGroup))
}

// KubeadmConfig is the ConfigMap that holds the ClusterConfiguration, for join, upgrade and reset.
func KubeadmConfig(c *config.Config) (*corev1.ConfigMap, error) {
	data, err := c.ClusterYAML()
	if err != nil {
		return nil, err
	}
	return configMap(metav1.NamespaceSystem, kubeadmConfigName, map[string]string{"ClusterConfiguration": string(data)}), nil
}

// KubeadmConfigRBAC lets joining nodes and kubelets read KubeadmConfig.
func KubeadmConfigRBAC(*config.Config) []runtime.Object {
	return readers(metav1.NamespaceSystem, "kubeadm:nodes-kubeadm-config", "configmaps", kubeadmConfigName,
		group(config.NodeBootstrapTokenAuthGroup), group(nodesGroup))
}

// KubeletConfig is the ConfigMap that holds the KubeletConfiguration of all nodes; with a hash when the user gave none.
func KubeletConfig(c *config.Config) (*corev1.ConfigMap, error) {
	data, err := c.KubeletYAML()
	if err != nil {
		return nil, err
	}
	cm := configMap(metav1.NamespaceSystem, kubeletConfigName, map[string]string{"kubelet": string(data)})
	return signed(cm, c.KubeletGiven), nil
}

// KubeletConfigRBAC lets joining nodes and kubelets read KubeletConfig.
func KubeletConfigRBAC(*config.Config) []runtime.Object {
	return readers(metav1.NamespaceSystem, "kubeadm:kubelet-config", "configmaps", kubeletConfigName,
		group(nodesGroup), group(config.NodeBootstrapTokenAuthGroup))
}

package config

import (
	"fmt"

	"sigs.k8s.io/yaml"
)

// ClusterYAML is the ClusterConfiguration as the cluster keeps it, in the ConfigMap kubeadm-config. A CI build keeps the prefix that
// says so: who joins needs its images, too.
func (c *Config) ClusterYAML() ([]byte, error) {
	k := c.Cluster
	if c.CI {
		k.KubernetesVersion = ciPrefix + k.KubernetesVersion
	}
	return encode(clusterKind, k)
}

// KubeletYAML is the KubeletConfiguration as the cluster keeps it, in the ConfigMap kubelet-config: without what belongs to one
// machine.
func (c *Config) KubeletYAML() ([]byte, error) { return encode(kubeletKind, c.Kubelet) }

// ProxyYAML is the KubeProxyConfiguration as the cluster keeps it, in the ConfigMap kube-proxy.
func (c *Config) ProxyYAML() ([]byte, error) { return encode(proxyKind, c.Proxy) }

// InitYAML is the whole input, defaulted, as one file that LoadInit reads. It holds the bootstrap tokens: it is a secret.
func (c *Config) InitYAML() ([]byte, error) {
	first, err := encode(initKind, c.Init)
	if err != nil {
		return nil, err
	}
	docs := [][]byte{first}
	for _, next := range []func() ([]byte, error){c.ClusterYAML, c.KubeletYAML, c.ProxyYAML} {
		doc, err := next()
		if err != nil {
			return nil, err
		}
		docs = append(docs, doc)
	}
	return documents(docs), nil
}

// encode writes sorted keys, as kubeadm does.
func encode[T any](kind string, doc T) ([]byte, error) {
	out, err := yaml.Marshal(doc)
	if err != nil {
		return nil, fmt.Errorf("cannot encode %s: %w", kind, err)
	}
	return out, nil
}

package config

import (
	"errors"
	"fmt"
	"strings"

	kubeproxyv1alpha1 "k8s.io/kube-proxy/config/v1alpha1"
	kubeletv1beta1 "k8s.io/kubelet/config/v1beta1"
)

// storedText is a document in a ConfigMap of the cluster.
type storedText struct {
	configMap, key, apiVersion, kind string
	text                             []byte
	// restore says how the document comes back when it is gone or cannot be used.
	restore string
}

func storedCluster(text []byte) storedText {
	return storedText{"kubeadm-config", clusterKind, APIVersion, clusterKind, text,
		"on a control-plane node, kubewright init phase upload-config kubeadm --config FILE writes it; upgrading the cluster renews an old one"}
}

func storedKubelet(text []byte) storedText {
	return storedText{"kubelet-config", "kubelet", kubeletv1beta1.SchemeGroupVersion.String(), kubeletKind, text,
		"on a control-plane node, kubewright init phase upload-config kubelet --config FILE writes it"}
}

func storedProxy(text []byte) storedText {
	return storedText{"kube-proxy", "config.conf", kubeproxyv1alpha1.SchemeGroupVersion.String(), proxyKind, text,
		"on a control-plane node, kubewright init phase addon kube-proxy --config FILE writes it"}
}

// readStored decodes one document of the cluster. Another release, or a person, may have written it: fields that are unknown
// or repeated are remarks, which are returned; wrong types and other kinds are errors.
func readStored[T any](s storedText, target *T) ([]string, error) {
	l := loader{name: "ConfigMap kube-system/" + s.configMap}
	found := false
	for _, part := range split(s.text) {
		d, ok := l.parse(part)
		switch {
		case !ok:
		case d.apiVersion != s.apiVersion || d.kind != s.kind:
			l.add(d.line, "%s of %s cannot be used: want %s of %s", d.kind, d.apiVersion, s.kind, s.apiVersion)
		case found:
			l.add(d.kindLine, "kind %s is there twice", d.kind)
		default:
			found = true
			decode(&l, d, target)
		}
	}
	l.forgive()
	err := l.err()
	if err == nil && !found {
		err = fmt.Errorf("%s: its key %s is empty", l.name, s.key)
		if s.text == nil {
			err = fmt.Errorf("%s is not there, or has no key %s", l.name, s.key)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the configuration of the cluster: %w\n%s", err, s.restore)
	}
	return l.warnings, nil
}

// readCluster fills the configuration with what the cluster keeps about itself. An empty proxy means that kube-proxy is not
// used. Nothing that is stored is replaced; what an older tool left out means what it meant to that tool.
func (c *Config) readCluster(cluster, kubelet, proxy []byte) error {
	c.Kubelet, c.KubeletGiven = &KubeletConfiguration{}, true
	c.Proxy, c.ProxyGiven = &KubeProxyConfiguration{}, true
	remarks, clusterErr := readStored(storedCluster(cluster), &c.Cluster)
	more, kubeletErr := readStored(storedKubelet(kubelet), c.Kubelet)
	remarks = append(remarks, more...)
	var proxyErr error
	if len(proxy) > 0 {
		more, proxyErr = readStored(storedProxy(proxy), c.Proxy)
		remarks = append(remarks, more...)
	}
	for _, remark := range remarks {
		c.warn("%s", remark)
	}
	if err := errors.Join(clusterErr, kubeletErr, proxyErr); err != nil {
		return err
	}
	// kubeadm takes silence for RSA; a key of another kind beside it would do no harm, but be a surprise.
	setDefault(&c.Cluster.EncryptionAlgorithm, EncryptionAlgorithmRSA2048)
	version, ci := strings.CutPrefix(c.Cluster.KubernetesVersion, ciPrefix)
	c.defaultCluster(Dynamic{})
	c.Cluster.KubernetesVersion, c.CI = version, ci
	return c.checkStoredVersion()
}

// checkStoredVersion refuses clusters that this release does not know.
func (c *Config) checkStoredVersion() error {
	v, err := ParseVersion(c.Cluster.KubernetesVersion)
	switch {
	case c.Cluster.KubernetesVersion == "":
		return fmt.Errorf("cannot read the configuration of the cluster: ConfigMap kube-system/kubeadm-config: it names no kubernetesVersion\n%s", storedCluster(nil).restore)
	case err != nil:
		return fmt.Errorf("cannot read the configuration of the cluster: ConfigMap kube-system/kubeadm-config: kubernetesVersion: %w", err)
	case !v.Supported():
		return fmt.Errorf("cannot work with Kubernetes %s, which this cluster runs: this release knows 1.%d and 1.%d\n"+
			"take the release of kubewright, or kubeadm, that fits the cluster", v, MinimumMinor, MaximumMinor)
	}
	c.Cluster.KubernetesVersion = v.String()
	return nil
}

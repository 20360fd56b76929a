package manifests

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/kubewright/kubewright/config"
	"github.com/kubewright/kubewright/templates"
)

// KubeletConfigFile is /var/lib/kubelet/config.yaml: the cluster's KubeletConfiguration with what belongs to this machine.
func KubeletConfigFile(c *config.Config) ([]byte, error) {
	data, err := yaml.Marshal(c.NodeKubelet())
	if err != nil {
		return nil, fmt.Errorf("cannot encode the KubeletConfiguration: %w", err)
	}
	return data, nil
}

// InstanceConfigFile is /var/lib/kubelet/instance-config.yaml: the part of the KubeletConfiguration that belongs to this
// machine alone. An upgrade lays it over what the cluster keeps.
func InstanceConfigFile(c *config.Config) ([]byte, error) {
	return templates.KubeletInstanceConfig(templates.Instance{CRISocket: c.Init.NodeRegistration.CRISocket})
}

// KubeletFlags is /var/lib/kubelet/kubeadm-flags.env of a control-plane node: the user's kubeletExtraArgs, and the node's name
// when it is not hostname, which is the machine's own name in lower case.
func KubeletFlags(c *config.Config, hostname string) ([]byte, error) {
	return kubeletFlags(c, hostname, nil)
}

// WorkerKubeletFlags is KubeletFlags of a worker, which registers with the taints of nodeRegistration.taints; those of a control
// plane are set when it is marked.
func WorkerKubeletFlags(c *config.Config, hostname string) ([]byte, error) {
	return kubeletFlags(c, hostname, c.Init.NodeRegistration.Taints)
}

func kubeletFlags(c *config.Config, hostname string, taints []corev1.Taint) ([]byte, error) {
	n, f := c.Init.NodeRegistration, &flags{}
	if len(taints) > 0 {
		var list []string
		for _, t := range taints {
			list = append(list, t.ToString())
		}
		f.add("register-with-taints", strings.Join(list, ","))
	}
	if n.Name != hostname {
		f.add("hostname-override", n.Name)
	}
	return templates.KubeletFlagsEnv(templates.FlagsEnv{Flags: config.MergeArgs(f.args, n.KubeletExtraArgs)})
}

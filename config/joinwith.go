package config

import (
	"errors"
	"fmt"
	"net/netip"
	"path"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// With is the configuration of this machine in the cluster that it joins, made of the input and of the texts that the cluster
// keeps: ClusterConfiguration of the ConfigMap kubeadm-config, kubelet of kubelet-config, and config.conf of kube-proxy, which
// is empty where kube-proxy is not used. What is stored is not replaced. Unknown fields are left out with a warning; the
// warnings are only those that the join has not given yet. Errors are texts that cannot be used, and a cluster of another
// version than this release knows. A worker has no address and no taints unless it was given some. Call it after SetDefaults
// and Validate.
func (j *Join) With(cluster, kubelet, proxy []byte) (*Config, error) {
	c := New()
	c.SystemdResolved = j.SystemdResolved
	c.Init = InitConfiguration{
		TypeMeta: metav1.TypeMeta{APIVersion: APIVersion, Kind: initKind},
		DryRun:   j.DryRun, NodeRegistration: j.NodeRegistration, SkipPhases: j.SkipPhases, Patches: j.Patches, Timeouts: j.Timeouts,
		// The port completes a shared endpoint that was stored without one.
		LocalAPIEndpoint: APIEndpoint{BindPort: defaultBindPort},
	}
	if cp := j.ControlPlane; cp != nil {
		c.Init.LocalAPIEndpoint, c.Init.CertificateKey = cp.LocalAPIEndpoint, cp.CertificateKey
	}
	// Nil would stand for the taint of the control plane.
	if c.Init.NodeRegistration.Taints == nil && !j.ControlPlaneJoin() {
		c.Init.NodeRegistration.Taints = []corev1.Taint{}
	}
	if err := c.readCluster(cluster, kubelet, proxy); err != nil {
		return nil, err
	}
	if err := j.checkAddress(c); err != nil {
		return nil, err
	}
	j.warnAbout(c)
	return c, nil
}

// warnAbout tells of what is stored and will not do on this machine.
func (j *Join) warnAbout(c *Config) {
	if r := c.Kubelet.ResolverConfig; r != nil && *r == systemdResolvConf && !j.SystemdResolved {
		c.warn("the cluster's kubelets read %s, which only systemd-resolved writes, and it does not run here: pods would not start\n"+
			"start it, or change resolvConf in ConfigMap kube-system/kubelet-config or by a patch of target kubeletconfiguration", *r)
	}
	own := path.Join(c.Cluster.CertificatesDir, caCertificateFile)
	wanted := c.Kubelet.Authentication.X509.ClientCAFile
	if wanted != "" && wanted != j.CACertPath && (!j.ControlPlaneJoin() || wanted != own) {
		c.warn("caCertPath: the cluster's kubelets read %s, and %s would be written: the kubelet would not start\nset caCertPath: %[1]s",
			wanted, j.CACertPath)
	}
}

// checkAddress refuses an address at which the API server of this machine could not be reached, or could not start.
func (j *Join) checkAddress(c *Config) error {
	address, err := netip.ParseAddr(c.Init.LocalAPIEndpoint.AdvertiseAddress)
	if err != nil || !j.ControlPlaneJoin() {
		return nil
	}
	p := &problems{}
	c.checkOwnAddress(p, address, c.ServiceCIDRs(), "join with another address of this machine: --apiserver-advertise-address")
	if len(p.errs) == 0 {
		return nil
	}
	return fmt.Errorf("cannot join as a control-plane node with the address %s: %w", address, errors.Join(p.errs...))
}

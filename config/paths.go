package config

import "path"

// Where the files of a control-plane node live. They are kubeadm's paths, so that either tool finds the other's files.
const (
	KubernetesDir          = "/etc/kubernetes"
	ManifestsDir           = KubernetesDir + "/manifests"
	DefaultCertificatesDir = KubernetesDir + "/pki"

	AdminKubeconfig             = KubernetesDir + "/admin.conf"
	SuperAdminKubeconfig        = KubernetesDir + "/super-admin.conf"
	KubeletKubeconfig           = KubernetesDir + "/kubelet.conf"
	BootstrapKubeletKubeconfig  = KubernetesDir + "/bootstrap-kubelet.conf"
	ControllerManagerKubeconfig = KubernetesDir + "/controller-manager.conf"
	SchedulerKubeconfig         = KubernetesDir + "/scheduler.conf"

	KubeletDir                = "/var/lib/kubelet"
	KubeletConfigFile         = KubeletDir + "/config.yaml"
	KubeletInstanceConfigFile = KubeletDir + "/instance-config.yaml"
	KubeletFlagsFile          = KubeletDir + "/kubeadm-flags.env"
	KubeletPKIDir             = KubeletDir + "/pki"

	// KubeletClientLink is the kubelet's name for the link to its newest client certificate.
	KubeletClientLink = "kubelet-client-current.pem"

	KubeletService  = "kubelet.service"
	KubeletUnitFile = "/etc/systemd/system/kubelet.service"
	KubeletDropIn   = "/etc/systemd/system/kubelet.service.d/10-kubeadm.conf"

	DefaultEtcdDataDir = "/var/lib/etcd"
	EtcdPrefix         = "/registry"
)

// KubeletCertDir is where the kubelet keeps and rotates its certificates: /var/lib/kubelet/pki, or what its flag cert-dir says.
func (c *Config) KubeletCertDir() string {
	if dir, _ := ArgValue(c.Init.NodeRegistration.KubeletExtraArgs, "cert-dir"); dir != "" {
		return path.Join("/", dir) // the kubelet's unit runs in /
	}
	return KubeletPKIDir
}

// KubeletClientPEM is the link to the newest client certificate, with its key, in that directory.
func (c *Config) KubeletClientPEM() string { return path.Join(c.KubeletCertDir(), KubeletClientLink) }

// The components: names of static pods, of images and of addons.
const (
	Etcd              = "etcd"
	APIServer         = "kube-apiserver"
	ControllerManager = "kube-controller-manager"
	Scheduler         = "kube-scheduler"
	KubeProxy         = "kube-proxy"
	CoreDNS           = "coredns"
	Pause             = "pause"
)

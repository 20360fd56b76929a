package manifests

import (
	"path"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientcmdv1 "k8s.io/client-go/tools/clientcmd/api/v1"
	"k8s.io/utils/ptr"

	"github.com/kubewright/kubewright/config"
)

const (
	proxyConfigDir      = "/var/lib/kube-proxy"
	proxyConfigFile     = "config.conf"
	proxyKubeconfigFile = "kubeconfig.conf"
	xtablesLock         = "/run/xtables.lock"
	kernelModules       = "/lib/modules"
	// accountDir is where the kubelet puts a pod's token and the cluster's CA.
	accountDir = "/var/run/secrets/kubernetes.io/serviceaccount"
)

// KubeProxy is the kube-proxy addon: what its DaemonSet needs first, then the DaemonSet, which gets the proxy variables.
func KubeProxy(c *config.Config, proxy []corev1.EnvVar) ([]runtime.Object, error) {
	cm, err := proxyConfig(c)
	if err != nil {
		return nil, err
	}
	name := config.KubeProxy
	list := []runtime.Object{
		serviceAccount(name),
		clusterBinding("kubeadm:node-proxier", "system:node-proxier", account(name)),
	}
	list = append(list, readers(metav1.NamespaceSystem, name, "configmaps", name, group(config.NodeBootstrapTokenAuthGroup))...)
	return append(list, cm, proxyDaemonSet(c, proxy)), nil
}

// proxyConfig holds the KubeProxyConfiguration and a kubeconfig that uses the pod's service account; with a hash when the user
// gave no configuration.
func proxyConfig(c *config.Config) (*corev1.ConfigMap, error) {
	configuration, err := c.ProxyYAML()
	if err != nil {
		return nil, err
	}
	const name = "default"
	kubeconfig, err := encodeKubeconfig(clientcmdv1.Config{
		Clusters: []clientcmdv1.NamedCluster{{Name: name, Cluster: clientcmdv1.Cluster{
			Server: c.ControlPlaneURL(), CertificateAuthority: path.Join(accountDir, "ca.crt"),
		}}},
		AuthInfos: []clientcmdv1.NamedAuthInfo{{Name: name, AuthInfo: clientcmdv1.AuthInfo{TokenFile: path.Join(accountDir, "token")}}},
		Contexts: []clientcmdv1.NamedContext{{Name: name, Context: clientcmdv1.Context{
			Cluster: name, AuthInfo: name, Namespace: metav1.NamespaceDefault,
		}}},
		CurrentContext: name,
	})
	if err != nil {
		return nil, err
	}
	cm := configMap(metav1.NamespaceSystem, config.KubeProxy, map[string]string{
		proxyConfigFile: string(configuration), proxyKubeconfigFile: kubeconfig,
	})
	cm.Labels = map[string]string{"app": config.KubeProxy}
	return signed(cm, c.ProxyGiven), nil
}

func proxyDaemonSet(c *config.Config, proxy []corev1.EnvVar) *appsv1.DaemonSet {
	labels := map[string]string{"k8s-app": config.KubeProxy}
	return &appsv1.DaemonSet{
		TypeMeta:   metav1.TypeMeta{APIVersion: appsv1.SchemeGroupVersion.String(), Kind: "DaemonSet"},
		ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespaceSystem, Name: config.KubeProxy, Labels: labels},
		Spec: appsv1.DaemonSetSpec{
			Selector:       &metav1.LabelSelector{MatchLabels: labels},
			UpdateStrategy: appsv1.DaemonSetUpdateStrategy{Type: appsv1.RollingUpdateDaemonSetStrategyType},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec: corev1.PodSpec{
					ServiceAccountName: config.KubeProxy,
					PriorityClassName:  systemNodeCritical,
					HostNetwork:        true,
					NodeSelector:       map[string]string{osLabel: "linux"},
					Tolerations:        []corev1.Toleration{{Operator: corev1.TolerationOpExists}},
					Containers:         []corev1.Container{proxyContainer(c, proxy)},
					Volumes: []corev1.Volume{
						{Name: config.KubeProxy, VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{
							LocalObjectReference: corev1.LocalObjectReference{Name: config.KubeProxy},
						}}},
						hostVolume("xtables-lock", xtablesLock, ptr.To(corev1.HostPathFileOrCreate)),
						hostVolume("lib-modules", kernelModules, nil),
					},
				},
			},
		},
	}
}

func proxyContainer(c *config.Config, proxy []corev1.EnvVar) corev1.Container {
	node := corev1.EnvVar{Name: "NODE_NAME", ValueFrom: &corev1.EnvVarSource{
		FieldRef: &corev1.ObjectFieldSelector{FieldPath: "spec.nodeName"},
	}}
	return corev1.Container{
		Name: config.KubeProxy, Image: c.Image(config.KubeProxy), ImagePullPolicy: corev1.PullIfNotPresent,
		Command: []string{
			"/usr/local/bin/kube-proxy", "--config=" + path.Join(proxyConfigDir, proxyConfigFile), "--hostname-override=$(NODE_NAME)",
		},
		Env:             append([]corev1.EnvVar{node}, env(proxy)...),
		SecurityContext: &corev1.SecurityContext{Privileged: ptr.To(true)},
		VolumeMounts: []corev1.VolumeMount{
			{Name: config.KubeProxy, MountPath: proxyConfigDir},
			{Name: "xtables-lock", MountPath: xtablesLock},
			{Name: "lib-modules", MountPath: kernelModules, ReadOnly: true},
		},
	}
}

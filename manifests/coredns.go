package manifests

import (
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/kubewright/kubewright/config"
	"github.com/kubewright/kubewright/templates"
)

const (
	coreDNSReplicas = 2
	dnsPort         = 53
	dnsMetricsPort  = 9153
	dnsHealthPort   = 8080
	dnsReadyPort    = 8181
	osLabel         = "kubernetes.io/os"
	hostnameLabel   = "kubernetes.io/hostname"
)

// dnsLabels select the pods of the cluster's DNS, whatever implements it.
func dnsLabels() map[string]string { return map[string]string{"k8s-app": "kube-dns"} }

// CoreDNS is the DNS addon: what its Deployment needs first, then the Deployment, then the Service kube-dns at the 10th address
// of the first service network.
func CoreDNS(c *config.Config) ([]runtime.Object, error) {
	corefile, err := templates.Corefile(templates.DNS{Domain: c.Cluster.Networking.DNSDomain})
	if err != nil {
		return nil, err
	}
	const role = "system:coredns"
	watch := []string{"list", "watch"}
	return []runtime.Object{
		serviceAccount(config.CoreDNS),
		clusterRole(role,
			rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"endpoints", "services", "pods", "namespaces"}, Verbs: watch},
			rbacv1.PolicyRule{APIGroups: []string{"discovery.k8s.io"}, Resources: []string{"endpointslices"}, Verbs: watch},
		),
		clusterBinding(role, role, account(config.CoreDNS)),
		configMap(metav1.NamespaceSystem, config.CoreDNS, map[string]string{"Corefile": string(corefile)}),
		coreDNSDeployment(c),
		dnsService(c),
	}, nil
}

func coreDNSDeployment(c *config.Config) *appsv1.Deployment {
	return &appsv1.Deployment{
		TypeMeta:   metav1.TypeMeta{APIVersion: appsv1.SchemeGroupVersion.String(), Kind: "Deployment"},
		ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespaceSystem, Name: config.CoreDNS, Labels: dnsLabels()},
		Spec: appsv1.DeploymentSpec{
			Replicas: ptr.To[int32](coreDNSReplicas),
			Selector: &metav1.LabelSelector{MatchLabels: dnsLabels()},
			Strategy: appsv1.DeploymentStrategy{
				Type:          appsv1.RollingUpdateDeploymentStrategyType,
				RollingUpdate: &appsv1.RollingUpdateDeployment{MaxUnavailable: ptr.To(intstr.FromInt32(1))},
			},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: dnsLabels()}, Spec: coreDNSPod(c)},
		},
	}
}

func coreDNSPod(c *config.Config) corev1.PodSpec {
	return corev1.PodSpec{
		ServiceAccountName: config.CoreDNS,
		PriorityClassName:  "system-cluster-critical",
		DNSPolicy:          corev1.DNSDefault, // the cluster's own DNS would be itself
		NodeSelector:       map[string]string{osLabel: "linux"},
		Tolerations: []corev1.Toleration{
			{Key: "CriticalAddonsOnly", Operator: corev1.TolerationOpExists},
			{Key: config.ControlPlaneTaintKey, Effect: corev1.TaintEffectNoSchedule},
		},
		// Spread over machines as far as possible.
		Affinity: &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{
			PreferredDuringSchedulingIgnoredDuringExecution: []corev1.WeightedPodAffinityTerm{{
				Weight: 100,
				PodAffinityTerm: corev1.PodAffinityTerm{
					TopologyKey: hostnameLabel,
					LabelSelector: &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{
						{Key: "k8s-app", Operator: metav1.LabelSelectorOpIn, Values: []string{"kube-dns"}},
					}},
				},
			}},
		}},
		Containers: []corev1.Container{coreDNSContainer(c)},
		Volumes: []corev1.Volume{{Name: "config-volume", VolumeSource: corev1.VolumeSource{
			ConfigMap: &corev1.ConfigMapVolumeSource{
				LocalObjectReference: corev1.LocalObjectReference{Name: config.CoreDNS},
				Items:                []corev1.KeyToPath{{Key: "Corefile", Path: "Corefile"}},
			},
		}}},
	}
}

func coreDNSContainer(c *config.Config) corev1.Container {
	port := func(name string, number int32, protocol corev1.Protocol) corev1.ContainerPort {
		return corev1.ContainerPort{Name: name, ContainerPort: number, Protocol: protocol}
	}
	ask := func(path, port string) corev1.ProbeHandler {
		return corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{
			Path: path, Port: intstr.FromString(port), Scheme: corev1.URISchemeHTTP,
		}}
	}
	return corev1.Container{
		Name: config.CoreDNS, Image: c.Image(config.CoreDNS), ImagePullPolicy: corev1.PullIfNotPresent,
		Args: []string{"-conf", "/etc/coredns/Corefile"},
		Resources: corev1.ResourceRequirements{
			Limits: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("170Mi")},
			Requests: corev1.ResourceList{
				corev1.ResourceCPU: resource.MustParse("100m"), corev1.ResourceMemory: resource.MustParse("70Mi"),
			},
		},
		VolumeMounts: []corev1.VolumeMount{{Name: "config-volume", MountPath: "/etc/coredns", ReadOnly: true}},
		Ports: []corev1.ContainerPort{
			port("dns", dnsPort, corev1.ProtocolUDP),
			port("dns-tcp", dnsPort, corev1.ProtocolTCP),
			port("metrics", dnsMetricsPort, corev1.ProtocolTCP),
			port("liveness-probe", dnsHealthPort, corev1.ProtocolTCP),
			port("readiness-probe", dnsReadyPort, corev1.ProtocolTCP),
		},
		LivenessProbe: &corev1.Probe{
			ProbeHandler: ask("/health", "liveness-probe"), InitialDelaySeconds: 60, TimeoutSeconds: 5, SuccessThreshold: 1, FailureThreshold: 5,
		},
		ReadinessProbe: &corev1.Probe{ProbeHandler: ask("/ready", "readiness-probe")},
		SecurityContext: &corev1.SecurityContext{
			AllowPrivilegeEscalation: ptr.To(false),
			Capabilities: &corev1.Capabilities{
				Add: []corev1.Capability{"NET_BIND_SERVICE"}, Drop: []corev1.Capability{"ALL"},
			},
			ReadOnlyRootFilesystem: ptr.To(true),
		},
	}
}

func dnsService(c *config.Config) *corev1.Service {
	labels := dnsLabels()
	labels["kubernetes.io/cluster-service"] = "true"
	labels["kubernetes.io/name"] = "CoreDNS"
	port := func(name string, number int32, protocol corev1.Protocol) corev1.ServicePort {
		return corev1.ServicePort{Name: name, Port: number, Protocol: protocol, TargetPort: intstr.FromInt32(number)}
	}
	return &corev1.Service{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Service"},
		ObjectMeta: metav1.ObjectMeta{
			Namespace: metav1.NamespaceSystem, Name: "kube-dns", Labels: labels,
			Annotations: map[string]string{"prometheus.io/port": "9153", "prometheus.io/scrape": "true"},
		},
		Spec: corev1.ServiceSpec{
			ClusterIP: c.DNSIP().String(), Selector: dnsLabels(),
			Ports: []corev1.ServicePort{
				port("dns", dnsPort, corev1.ProtocolUDP),
				port("dns-tcp", dnsPort, corev1.ProtocolTCP),
				port("metrics", dnsMetricsPort, corev1.ProtocolTCP),
			},
		},
	}
}

package manifests

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
)

const (
	// systemNodeCritical is the priority class of what a node can't do without, and its value (scheduling.k8s.io).
	systemNodeCritical         = "system-node-critical"
	systemNodeCriticalPriority = 2000001000
)

// component is what the static pods differ in.
type component struct {
	name        string
	image       string
	command     []string
	env         []corev1.EnvVar
	mounts      mounts
	probes      probes
	requests    corev1.ResourceList
	annotations map[string]string
}

// pod is the static pod of a component. A kubelet without an API server does not run admission, so the priority is written out.
func (c component) pod() *corev1.Pod {
	container := corev1.Container{
		Name: c.name, Image: c.image, ImagePullPolicy: corev1.PullIfNotPresent,
		Command: c.command, Env: c.env, VolumeMounts: c.mounts.mounts(),
		Resources: corev1.ResourceRequirements{Requests: c.requests},
	}
	c.probes.into(&container)
	return &corev1.Pod{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{
			Name: c.name, Namespace: metav1.NamespaceSystem, Annotations: c.annotations,
			Labels: map[string]string{"component": c.name, "tier": "control-plane"},
		},
		Spec: corev1.PodSpec{
			Containers:        []corev1.Container{container},
			HostNetwork:       true,
			Priority:          ptr.To[int32](systemNodeCriticalPriority),
			PriorityClassName: systemNodeCritical,
			SecurityContext: &corev1.PodSecurityContext{
				SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
			},
			Volumes: c.mounts.volumes(),
		},
	}
}

func cpu(amount string) corev1.ResourceList {
	return corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(amount)}
}

package cluster

import (
	"encoding/base64"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
)

func base64Of(data []byte) string { return base64.StdEncoding.EncodeToString(data) }

func typeMeta(apiVersion, kind string) metav1.TypeMeta {
	return metav1.TypeMeta{APIVersion: apiVersion, Kind: kind}
}

func named(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: "kube-system", Name: name}
}

func configMap(namespace, name string, data map[string]string) *corev1.ConfigMap {
	return &corev1.ConfigMap{
		TypeMeta:   typeMeta("v1", "ConfigMap"),
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Data:       data,
	}
}

func tokenSecret() *corev1.Secret {
	return &corev1.Secret{
		TypeMeta:   typeMeta("v1", "Secret"),
		ObjectMeta: named("bootstrap-token-abcdef"),
		Type:       corev1.SecretTypeBootstrapToken,
		Data: map[string][]byte{
			"token-id": []byte("abcdef"), "token-secret": []byte("0123456789abcdef"), "usage-bootstrap-signing": []byte("true"),
		},
	}
}

// realObjects are one of each kind that init applies, shaped as its own are: both protocols on one port, empty lists.
func realObjects() []runtime.Object {
	const rbac = "rbac.authorization.k8s.io/v1"
	labels := map[string]string{"k8s-app": "kube-dns"}
	ports := []corev1.ContainerPort{
		{Name: "dns", ContainerPort: 53, Protocol: corev1.ProtocolUDP},
		{Name: "dns-tcp", ContainerPort: 53, Protocol: corev1.ProtocolTCP},
	}
	pod := corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: labels},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{
			Name: "coredns", Image: "registry.k8s.io/coredns/coredns:v1.14.6", Ports: ports,
			Env: []corev1.EnvVar{{Name: "NODE_NAME", ValueFrom: &corev1.EnvVarSource{
				FieldRef: &corev1.ObjectFieldSelector{FieldPath: "spec.nodeName"}}}},
		}}},
	}
	selector := &metav1.LabelSelector{MatchLabels: labels}
	surge := intstr.FromInt32(1)
	subjects := []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "Group", Name: "system:nodes"}}
	rules := []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"configmaps"}, Verbs: []string{"get"}}}
	return []runtime.Object{
		configMap("kube-public", "cluster-info", map[string]string{"kubeconfig": "a: b\n"}),
		tokenSecret(),
		&corev1.ServiceAccount{TypeMeta: typeMeta("v1", "ServiceAccount"), ObjectMeta: named("coredns")},
		&corev1.Service{TypeMeta: typeMeta("v1", "Service"), ObjectMeta: named("kube-dns"), Spec: corev1.ServiceSpec{
			Selector: labels, ClusterIP: "10.96.0.10", Ports: []corev1.ServicePort{
				{Name: "dns", Port: 53, Protocol: corev1.ProtocolUDP, TargetPort: intstr.FromInt32(53)},
				{Name: "dns-tcp", Port: 53, Protocol: corev1.ProtocolTCP, TargetPort: intstr.FromInt32(53)},
			}}},
		&appsv1.Deployment{TypeMeta: typeMeta("apps/v1", "Deployment"), ObjectMeta: named("coredns"), Spec: appsv1.DeploymentSpec{
			Selector: selector, Template: pod, Strategy: appsv1.DeploymentStrategy{
				Type:          appsv1.RollingUpdateDeploymentStrategyType,
				RollingUpdate: &appsv1.RollingUpdateDeployment{MaxUnavailable: &surge}}}},
		&appsv1.DaemonSet{TypeMeta: typeMeta("apps/v1", "DaemonSet"), ObjectMeta: named("kube-proxy"), Spec: appsv1.DaemonSetSpec{
			Selector: selector, Template: pod}},
		&rbacv1.Role{TypeMeta: typeMeta(rbac, "Role"), ObjectMeta: named("kubeadm:nodes-kubeadm-config"), Rules: rules},
		&rbacv1.RoleBinding{TypeMeta: typeMeta(rbac, "RoleBinding"), ObjectMeta: named("kubeadm:nodes-kubeadm-config"),
			RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "kubeadm:nodes-kubeadm-config"},
			Subjects: subjects},
		&rbacv1.ClusterRole{TypeMeta: typeMeta(rbac, "ClusterRole"), ObjectMeta: metav1.ObjectMeta{Name: "kubeadm:get-nodes"},
			Rules: rules},
		&rbacv1.ClusterRole{TypeMeta: typeMeta(rbac, "ClusterRole"), ObjectMeta: metav1.ObjectMeta{Name: "empty"}},
		&rbacv1.ClusterRoleBinding{TypeMeta: typeMeta(rbac, "ClusterRoleBinding"), ObjectMeta: metav1.ObjectMeta{Name: "kubeadm:get-nodes"},
			RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "kubeadm:get-nodes"},
			Subjects: subjects},
		&corev1.Node{TypeMeta: typeMeta("v1", "Node"), ObjectMeta: metav1.ObjectMeta{Name: "n1"}},
		&corev1.Pod{TypeMeta: typeMeta("v1", "Pod"), ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: "p"},
			Spec: corev1.PodSpec{ServiceAccountName: "", Containers: []corev1.Container{{Name: "c", Image: "i"}}}},
		&corev1.Namespace{TypeMeta: typeMeta("v1", "Namespace"), ObjectMeta: metav1.ObjectMeta{Name: "extra"}},
	}
}

func TestEveryKindIsKnown(t *testing.T) {
	c := &Client{dynamic: client(t, "https://127.0.0.1:1", nil, "x").dynamic}
	for _, obj := range realObjects() {
		if _, _, err := c.open(obj); err != nil {
			t.Errorf("%T: %v", obj, err)
		}
	}
}

package cluster

import (
	"fmt"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// kind says how the API server names one kind of object.
type kind struct {
	apiVersion, kind, resource string
	namespaced                 bool
}

// kinds are all that kubewright touches. A table instead of discovery saves the first request's round trips and works while
// the API server still lists its groups.
func kinds() []kind {
	const (
		apps = "apps/v1"
		rbac = "rbac.authorization.k8s.io/v1"
	)
	return []kind{
		{"v1", "ConfigMap", "configmaps", true},
		{"v1", "Endpoints", "endpoints", true},
		{"v1", "Event", "events", true},
		{"v1", "Namespace", "namespaces", false},
		{"v1", "Node", "nodes", false},
		{"v1", "Pod", "pods", true},
		{"v1", "Secret", "secrets", true},
		{"v1", "Service", "services", true},
		{"v1", "ServiceAccount", "serviceaccounts", true},
		{apps, "DaemonSet", "daemonsets", true},
		{apps, "Deployment", "deployments", true},
		{apps, "ReplicaSet", "replicasets", true},
		{apps, "StatefulSet", "statefulsets", true},
		{rbac, "ClusterRole", "clusterroles", false},
		{rbac, "ClusterRoleBinding", "clusterrolebindings", false},
		{rbac, "Role", "roles", true},
		{rbac, "RoleBinding", "rolebindings", true},
		{"authorization.k8s.io/v1", "SelfSubjectAccessReview", "selfsubjectaccessreviews", false},
		{"batch/v1", "Job", "jobs", true},
		{"certificates.k8s.io/v1", "CertificateSigningRequest", "certificatesigningrequests", false},
		{"coordination.k8s.io/v1", "Lease", "leases", true},
		{"policy/v1", "PodDisruptionBudget", "poddisruptionbudgets", true},
	}
}

// lookUp finds the resource of a kind.
func lookUp(gvk schema.GroupVersionKind) (schema.GroupVersionResource, bool, error) {
	apiVersion, name := gvk.ToAPIVersionAndKind()
	for _, k := range kinds() {
		if k.apiVersion == apiVersion && k.kind == name {
			return gvk.GroupVersion().WithResource(k.resource), k.namespaced, nil
		}
	}
	if name == "" {
		return schema.GroupVersionResource{}, false, fmt.Errorf("the object does not say its apiVersion and kind")
	}
	return schema.GroupVersionResource{}, false, fmt.Errorf("unknown kind %s of %s", name, apiVersion)
}

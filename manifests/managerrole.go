package manifests

import (
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kubewright/kubewright/config"
)

// ManagerRole is the name of the ClusterRole of kube-controller-manager, of its binding, and of the user that is bound to it.
const ManagerRole = "system:" + config.ControllerManager

// ControllerManagerRole are the ClusterRole of kube-controller-manager and its ClusterRoleBinding, as every API server of a supported
// version makes them by itself when it starts: its bootstrap policy says the same in 1.36 and 1.37. It finds these and leaves them as
// they are; were a rule missing, it would add it.
func ControllerManagerRole() []runtime.Object {
	lease := rule("get update", "leases", "coordination.k8s.io")
	lease.ResourceNames = []string{config.ControllerManager}
	role := clusterRole(ManagerRole,
		rule("create patch update", "events", "", "events.k8s.io"),
		rule("create", "leases", "coordination.k8s.io"),
		lease,
		rule("create", "secrets serviceaccounts", ""),
		rule("delete", "secrets", ""),
		rule("get", "configmaps namespaces secrets serviceaccounts", ""),
		rule("update", "secrets serviceaccounts", ""),
		rule("create", "tokenreviews", "authentication.k8s.io"),
		rule("create", "subjectaccessreviews", "authorization.k8s.io"),
		rule("list watch", "*", "*"),
		rule("create", "serviceaccounts/token", ""),
	)
	binding := clusterBinding(ManagerRole, ManagerRole, user(ManagerRole))
	for _, object := range []*metav1.ObjectMeta{&role.ObjectMeta, &binding.ObjectMeta} {
		object.Labels = map[string]string{"kubernetes.io/bootstrapping": "rbac-defaults"}
		object.Annotations = map[string]string{rbacv1.AutoUpdateAnnotationKey: "true"}
	}
	return []runtime.Object{role, binding}
}

// rule allows verbs on resources, words with spaces between them, of API groups.
func rule(verbs, resources string, groups ...string) rbacv1.PolicyRule {
	return rbacv1.PolicyRule{Verbs: strings.Fields(verbs), APIGroups: groups, Resources: strings.Fields(resources)}
}

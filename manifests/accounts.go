package manifests

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/kubewright/kubewright/config"
)

// controllerAccounts are the ServiceAccounts of the controllers that kube-controller-manager starts by default, with the minor version
// of Kubernetes since which that is so, or 0 for all that are supported.
var controllerAccounts = []struct {
	name  string
	since int
}{
	{"attachdetach-controller", 0},
	{"bootstrap-signer", 0},
	{"certificate-controller", 0},
	{"clusterrole-aggregation-controller", 0},
	{"cronjob-controller", 0},
	{"daemon-set-controller", 0},
	{"deployment-controller", 0},
	{"device-taint-eviction-controller", 0},
	{"disruption-controller", 0},
	{"endpoint-controller", 0},
	{"endpointslice-controller", 0},
	{"endpointslicemirroring-controller", 0},
	{"ephemeral-volume-controller", 0},
	{"expand-controller", 0},
	{"generic-garbage-collector", 0},
	{"horizontal-pod-autoscaler", 0},
	{"job-controller", 0},
	{"kube-apiserver-serving-clustertrustbundle-publisher", 37},
	{"legacy-service-account-token-cleaner", 0},
	{"namespace-controller", 0},
	{"node-controller", 0},
	{"persistent-volume-binder", 0},
	{"pod-garbage-collector", 0},
	{"podcertificaterequestcleaner", 37},
	{"pv-protection-controller", 0},
	{"pvc-protection-controller", 0},
	{"replicaset-controller", 0},
	{"replication-controller", 0},
	{"resource-claim-controller", 0},
	{"resourcequota-controller", 0},
	{"root-ca-cert-publisher", 0},
	{"service-account-controller", 0},
	{"service-cidrs-controller", 0},
	{"statefulset-controller", 0},
	{"storage-version-migrator-controller", 37},
	{"token-cleaner", 0},
	{"ttl-after-finished-controller", 0},
	{"ttl-controller", 0},
	{"validatingadmissionpolicy-status-controller", 0},
	{"volumeattributesclass-protection-controller", 0},
}

// ControllerAccounts are the ServiceAccounts that a kube-controller-manager of version v with this command line makes for its
// controllers when it starts for the first time in a cluster. There are none where the command line chooses the controllers otherwise
// than by default: the component makes those that it needs.
func ControllerAccounts(v config.Version, command []string) []*corev1.ServiceAccount {
	chosen := FlagsOf(command)
	_, gates := chosen["feature-gates"]
	_, emulated := chosen["emulated-version"]
	if gates || emulated || chosen["controllers"] != allControllers || chosen["use-service-account-credentials"] != "true" {
		return nil
	}
	var accounts []*corev1.ServiceAccount
	for _, row := range controllerAccounts {
		if v.AtLeast(row.since) {
			accounts = append(accounts, serviceAccount(row.name))
		}
	}
	return accounts
}

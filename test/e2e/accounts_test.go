package e2e

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubewright/kubewright/config"
	"github.com/kubewright/kubewright/manifests"
	"github.com/kubewright/kubewright/test/bed"
)

// checkAccounts compares the ServiceAccounts that init makes for the controllers with those that a controller manager makes: one that
// has found them has made no more, and one that finds none makes the same.
func checkAccounts(t *testing.T, m *bed.Machine) {
	version, err := config.ParseVersion(bed.KubernetesVersion)
	if err != nil {
		t.Fatal(err)
	}
	command := []string{"--controllers=*,bootstrapsigner,tokencleaner", "--use-service-account-credentials=true"}
	var ours []string
	for _, account := range manifests.ControllerAccounts(version, command) {
		ours = append(ours, account.Name)
	}
	all := append([]string{"coredns", "default", "kube-proxy"}, ours...) // a controller makes the one in the middle
	slices.Sort(all)
	there := func() string {
		names := m.Kubectl(t, "-n", "kube-system", "get", "serviceaccounts", "-o", "jsonpath={.items[*].metadata.name}")
		return cmp.Diff(all, strings.Fields(names))
	}
	eventually(t, time.Minute, there)

	m.Kubectl(t, append([]string{"-n", "kube-system", "delete", "serviceaccount"}, ours...)...)
	m.MustRun(t, "sh", "-c", "kill $(pidof kube-controller-manager)")
	eventually(t, 2*time.Minute, there)
}

package e2e

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubewright/kubewright/manifests"
	"github.com/kubewright/kubewright/test/bed"
)

// checkManagerRole compares the role that init gives the controller manager with the one that an API server makes: one that has found
// it has left it, and one that finds none makes the same.
func checkManagerRole(t *testing.T, m *bed.Machine) {
	t.Helper()
	both := []string{"clusterrole/" + manifests.ManagerRole, "clusterrolebinding/" + manifests.ManagerRole}
	now := func(part string) string {
		return m.Kubectl(t, append([]string{"get", both[0], both[1]}, "-o", `jsonpath={range .items[*]}{`+part+`}{"\n"}{end}`)...)
	}
	const content = ".kind} {.metadata.labels} {.metadata.annotations} {.rules} {.roleRef} {.subjects"
	made, age := now(content), now(".metadata.creationTimestamp")
	if n := now(".metadata.managedFields[*].manager"); n != "kubewright\nkubewright\n" {
		t.Errorf("the role is of %s", n)
	}
	m.Kubectl(t, "delete", both[0], both[1])
	// Asked to end, it would go on serving its watches for a minute.
	m.MustRun(t, "sh", "-c", "kill -9 $(pidof kube-apiserver)")
	eventually(t, 2*time.Minute, func() string {
		if _, ok := kubectl(m, "get", both[0], both[1]); !ok {
			return "the API server has not made the role anew"
		}
		return cmp.Diff(made, now(content))
	})
	if now(".metadata.creationTimestamp") == age {
		t.Error("nobody made the role anew")
	}
}

package e2e

import (
	"slices"
	"testing"

	"github.com/kubewright/kubewright/test/bed"
	"github.com/kubewright/kubewright/test/bench"
)

// TestJoinCalls joins a worker with each tool, and counts what each asked the API server: the audit log says it. kubewright's
// requests have to be fewer.
func TestJoinCalls(t *testing.T) {
	bed.Need(t)
	lab := bed.NewLab(t)
	machines := lab.MachinesAtOnce(t, bed.Spec{Name: "cp1", Audit: true}, bed.Spec{Name: "w1"}, bed.Spec{Name: "w2", KubeletUnit: true})
	cp := machines[0]
	cp.WriteFile(t, configPath, bed.InitConfig(cp, bed.WithAudit()), 0o600)
	args, _ := bed.ReadJoin(cp.MustRun(t, "kubewright", "init", "--config", configPath))
	ready(t, cp)
	asked := map[string][]bench.Request{}
	for i, tool := range []string{"kubewright", "kubeadm"} {
		before := len(cp.Audited(t))
		command := slices.Concat([]string{tool, "join"}, args)
		if tool == "kubeadm" {
			command = append(command, "--ignore-preflight-errors=SystemVerification")
		}
		machines[i+1].MustRun(t, command...)
		nodeReady(t, cp, machines[i+1].Name) // by then all requests of the tool are written down
		asked[tool] = bench.RequestsOf(tool, cp.Audited(t)[before:])
		t.Logf("%s join: %d requests", tool, len(asked[tool]))
		for _, r := range asked[tool] {
			t.Logf("  %s", r)
		}
	}
	if kubewright, kubeadm := len(asked["kubewright"]), len(asked["kubeadm"]); kubewright == 0 || kubewright >= kubeadm {
		t.Errorf("kubewright made %d requests for a worker, kubeadm %d", kubewright, kubeadm)
	}
}

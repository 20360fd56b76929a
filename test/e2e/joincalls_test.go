package e2e

import (
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
	report := &bench.JoinReport{}
	if err := report.Pair(t.Context(), lab.Lab, testLog{t}, bench.Worker, args, machines[1:]...); err != nil {
		t.Fatal(err)
	}
	t.Log(report.Text())
	for _, problem := range report.Problems() {
		t.Error(problem)
	}
}

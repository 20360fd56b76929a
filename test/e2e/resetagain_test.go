package e2e

import (
	"strconv"
	"testing"

	"github.com/kubewright/kubewright/test/bed"
)

// TestResetAgain makes a control plane of one machine and, twice, a worker of another one, and gives them back; all of it as often as
// KUBEWRIGHT_ROUNDS says. Nothing gathers on them.
func TestResetAgain(t *testing.T) {
	bed.Need(t)
	lab := bed.NewLab(t)
	machines := lab.MachinesAtOnce(t, bed.Spec{Name: "cp1"}, bed.Spec{Name: "w1"})
	cp, w := machines[0], machines[1]
	cp.WriteFile(t, configPath, bed.InitConfig(cp), 0o600)
	w.WriteFile(t, adminPath, "", 0o600) // another one for each cluster
	before, worker := cp.Inventory(t), w.Inventory(t)
	for i := range rounds(t) {
		t.Run(strconv.Itoa(i+1), func(t *testing.T) {
			args, _ := bed.ReadJoin(cp.MustRun(t, "kubewright", "init", "--config", configPath))
			w.WriteFile(t, adminPath, cp.ReadFile(t, bed.AdminConf), 0o600)
			for range 2 {
				joinNow(t, w, args...)
				nodeReady(t, cp, w.Name)
				resets(t, w, "--kubeconfig", adminPath)
				givenBack(t, w, worker, mayLeave("~ file "+adminPath+": *")...)
			}
			resets(t, cp)
			givenBack(t, cp, before, mayLeave()...)
		})
		if t.Failed() {
			return
		}
	}
}

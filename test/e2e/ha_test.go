package e2e

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kubewright/kubewright/test/bed"
)

// TestJoinHA joins two control planes and a worker at the same moment, behind a load balancer, and then takes the first control
// plane away without a word: the API can be written, and another worker joins.
func TestJoinHA(t *testing.T) {
	bed.Need(t)
	lab := bed.NewLab(t)
	lab.LoadBalancer(t)
	machines := lab.MachinesAtOnce(t, bed.Spec{Name: "cp1"}, bed.Spec{Name: "cp2"}, bed.Spec{Name: "cp3"}, bed.Spec{Name: "w1"}, bed.Spec{Name: "w2"})
	cp := machines[0]
	cp.WriteFile(t, configPath, bed.InitConfig(cp, bed.WithEndpoint(lab.Endpoint())), 0o600)
	worker, controlPlane := bed.ReadJoin(cp.MustRun(t, "kubewright", "init", "--config", configPath, "--upload-certs"))
	if worker == nil || controlPlane == nil {
		t.Fatal("init printed no join commands")
	}
	results := make([]result, 3)
	var all sync.WaitGroup
	for i, args := range [][]string{controlPlane, controlPlane, worker} {
		all.Go(func() { results[i] = run(machines[i+1], append([]string{"kubewright", "join"}, args...)...) })
	}
	all.Wait()
	for i, r := range results {
		if r.code != 0 {
			t.Errorf("%s: exit code %d\n%s%s", machines[i+1].Name, r.code, r.out, r.err)
		}
	}
	if t.Failed() {
		return
	}
	voters(t, cp, 3)
	if err := cp.PowerOff(); err != nil {
		t.Fatal(err)
	}
	eventually(t, time.Minute, func() string {
		ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
		defer cancel()
		out, err := lab.KubectlCommand(ctx, "create", "configmap", "written", "--request-timeout=10s").CombinedOutput()
		if err != nil && !strings.Contains(string(out), "already exists") {
			return "the API can't be written: " + string(out)
		}
		return ""
	})
	joinNow(t, machines[4], worker...)
	if err := cp.PowerOn(); err != nil {
		t.Fatal(err)
	}
	for _, m := range machines {
		nodeReady(t, machines[1], m.Name)
	}
	voters(t, machines[1], 3)
}

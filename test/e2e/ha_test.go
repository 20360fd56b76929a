package e2e

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kubewright/kubewright/test/bed"
)

// TestJoinAtOnce lets two control planes and three workers join at the same moment, in a new cluster each time, as often as
// KUBEWRIGHT_ROUNDS says; once if it is not set.
func TestJoinAtOnce(t *testing.T) {
	bed.Need(t)
	for i := range rounds(t) {
		t.Run(strconv.Itoa(i+1), func(t *testing.T) { joinAtOnce(t) })
	}
}

// rounds is what KUBEWRIGHT_ROUNDS says; 1 if it is not set.
func rounds(t *testing.T) int {
	t.Helper()
	asked := os.Getenv("KUBEWRIGHT_ROUNDS")
	if asked == "" {
		return 1
	}
	n, err := strconv.Atoi(asked)
	if err != nil || n < 1 {
		t.Fatalf("KUBEWRIGHT_ROUNDS is %q: want a number", asked)
	}
	return n
}

// ha is a cluster of three control planes behind a load balancer, and three workers.
type ha struct {
	lab *bed.TestLab
	// machines are the control planes, the workers, and last one that has not joined.
	machines []*bed.Machine
	// worker are the arguments of the join command.
	worker []string
}

// joinAtOnce makes one: the first control plane by init, all others at the same moment. Dry runs have nothing to do afterwards.
func joinAtOnce(t *testing.T) *ha {
	lab := bed.NewLab(t)
	lab.LoadBalancer(t)
	var specs []bed.Spec
	for _, name := range []string{"cp1", "cp2", "cp3", "w1", "w2", "w3", "w4"} {
		specs = append(specs, bed.Spec{Name: name})
	}
	machines := lab.MachinesAtOnce(t, specs...)
	cp := machines[0]
	cp.WriteFile(t, configPath, bed.InitConfig(cp, bed.WithEndpoint(lab.Endpoint())), 0o600)
	worker, controlPlane := bed.ReadJoin(cp.MustRun(t, "kubewright", "init", "--config", configPath, "--upload-certs"))
	if worker == nil || controlPlane == nil {
		t.Fatal("init printed no join commands")
	}
	commands := [][]string{controlPlane, controlPlane, worker, worker, worker}
	results := make([]result, len(commands))
	took := make([]time.Duration, len(commands))
	var all sync.WaitGroup
	for i, args := range commands {
		all.Go(func() {
			began := time.Now()
			results[i] = run(machines[i+1], append([]string{"kubewright", "join"}, args...)...)
			took[i] = time.Since(began).Round(100 * time.Millisecond)
		})
	}
	all.Wait()
	t.Logf("joins took %v", took)
	for i, r := range results {
		if r.code != 0 {
			t.Errorf("%s: exit code %d\n%s%s", machines[i+1].Name, r.code, r.out, r.err)
		}
	}
	if t.Failed() {
		t.FailNow()
	}
	voters(t, cp, 3)
	for i, args := range commands {
		m := machines[i+1]
		nodeReady(t, cp, m.Name)
		nothingToDo(t, m, append([]string{"kubewright", "join"}, args...)...)
	}
	return &ha{lab: lab, machines: machines, worker: worker}
}

// TestJoinHA takes each of three control planes away in turn, without a word. The API can be written each time, and the first
// time another worker joins.
func TestJoinHA(t *testing.T) {
	bed.Need(t)
	c := joinAtOnce(t)
	for i, lost := range c.machines[:3] {
		if err := lost.PowerOff(); err != nil {
			t.Fatal(err)
		}
		eventually(t, time.Minute, func() string { return c.write(fmt.Sprintf("without-%s", lost.Name)) })
		other := c.machines[(i+1)%3]
		if i == 0 {
			joinNow(t, c.machines[6], c.worker...)
			nodeReady(t, other, c.machines[6].Name)
		}
		if err := lost.PowerOn(); err != nil {
			t.Fatal(err)
		}
		voters(t, other, 3)
		eventually(t, 2*time.Minute, func() string { return c.healthy(lost) })
	}
	for _, m := range c.machines {
		nodeReady(t, c.machines[0], m.Name)
	}
}

// write makes a ConfigMap through the load balancer, and says what went wrong.
func (c *ha) write(name string) string {
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	out, err := c.lab.KubectlCommand(ctx, "create", "configmap", name, "--request-timeout=10s").CombinedOutput()
	if err != nil && !strings.Contains(string(out), "already exists") {
		return "the API can't be written: " + string(out)
	}
	return ""
}

// healthy says why a control plane does not serve by itself yet; its API server is ready only with an etcd that is.
func (c *ha) healthy(m *bed.Machine) string {
	if out, ok := kubectl(m, "--server=https://"+m.IP()+":6443", "get", "--raw", "/readyz", "--request-timeout=10s"); !ok || !strings.HasPrefix(out, "ok") {
		return m.Name + " is not ready: " + out
	}
	return ""
}

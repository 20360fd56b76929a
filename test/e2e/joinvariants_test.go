package e2e

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/kubewright/kubewright/test/bed"
)

// joining is a cluster of one control plane that machines join.
type joining struct {
	lab *bed.TestLab
	cp  *bed.Machine
	// worker and controlPlane are the arguments of the join commands that init printed.
	worker, controlPlane []string
}

// TestJoinVariants joins machines to one cluster in all ways that there are besides the command that init prints. Each way is a
// part of its own, with machines of its own.
func TestJoinVariants(t *testing.T) {
	bed.Need(t)
	j := joining{lab: bed.NewLab(t)}
	j.cp = j.lab.Machine(t, bed.Spec{Name: "cp1"})
	text := bed.InitConfig(j.cp, bed.WithEndpoint(j.cp.IP()+":6443"))
	// A dead machine is noticed after 50 seconds otherwise.
	text = strings.Replace(text, "kind: ClusterConfiguration\n", "kind: ClusterConfiguration\ncontrollerManager:\n"+
		"  extraArgs: [{name: node-monitor-grace-period, value: 15s}]\n", 1)
	j.cp.WriteFile(t, configPath, text, 0o600)
	j.worker, j.controlPlane = bed.ReadJoin(j.cp.MustRun(t, "kubewright", "init", "--config", configPath, "--upload-certs"))
	if j.worker == nil || j.controlPlane == nil {
		t.Fatal("init printed no join commands")
	}
	for _, part := range []struct {
		name string
		test func(*testing.T)
	}{
		{"discovery", j.discovery},
		{"worker by configuration, reset, again", j.configuredWorker},
		{"control plane by configuration, reset, again", j.configuredControlPlane},
		{"worker by phases", j.workerByPhases},
		{"control plane by phases", j.controlPlaneByPhases},
		{"dead machine", j.deadMachine},
	} {
		t.Run(part.name, part.test)
	}
}

// flag is the value of a flag among arguments.
func flag(t *testing.T, args []string, name string) string {
	t.Helper()
	for i := range args[:len(args)-1] {
		if args[i] == name {
			return args[i+1]
		}
	}
	t.Fatalf("no %s in %q", name, args)
	return ""
}

// keepsSecrets is joinNow with all that can be said; none of it is a secret.
func keepsSecrets(t *testing.T, m *bed.Machine, secrets []string, args ...string) {
	t.Helper()
	said := joinNow(t, m, append(args, "-v", "2")...)
	if !strings.Contains(said, "kubelet.service") {
		t.Errorf("it says less than was asked for:\n%s", said)
	}
	for _, secret := range append(secrets, "PRIVATE KEY") {
		if strings.Contains(said, secret) {
			t.Errorf("a secret was printed:\n%s", said)
		}
	}
}

// joinEvents joins with -o json, where each line is an event and none holds a private key or a token, and returns the last one.
func joinEvents(t *testing.T, m *bed.Machine, args ...string) (result joinEvent) {
	t.Helper()
	out := m.MustRun(t, append([]string{"kubewright", "join", "-o", "json"}, args...)...)
	token := slices.Index(args, "--token")
	if strings.Contains(out, "PRIVATE KEY") || token >= 0 && strings.Contains(out, args[token+1]) {
		t.Errorf("a secret was printed:\n%s", out)
	}
	done := map[string]bool{}
	for line := range strings.Lines(out) {
		result = joinEvent{}
		if err := json.Unmarshal([]byte(line), &result); err != nil {
			t.Fatalf("%v in:\n%s", err, line)
		}
		if result.Event == "phase" && !result.Failed {
			done[result.Phase] = true
		}
	}
	if !done["kubelet-start"] || !done["kubelet-wait-bootstrap"] {
		t.Errorf("no events of some phases:\n%s", out)
	}
	return result
}

type joinEvent struct {
	Event, Phase, Node string
	Failed             bool
	Changes            int
	Next               struct{ Kubeconfig string }
}

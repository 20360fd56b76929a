// Package e2e uses kubewright on real machines: systemd, containerd, a kubelet and the real components. `make e2e` runs it.
package e2e

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/kubewright/kubewright/test/bed"
)

const configPath = "/root/init.yaml"

// controlPlane are the static pods of a control-plane node.
var controlPlane = []string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"}

// result is what a command did.
type result struct {
	out, err string
	code     int
}

// run runs a command in the machine, for as long as an init may take at most.
func run(m *bed.Machine, args ...string) result {
	ctx, cancel := context.WithTimeout(context.Background(), 8*time.Minute)
	defer cancel()
	out, err, code := m.Run(ctx, args...)
	return result{out, err, code}
}

// initialized is a machine with a control plane that kubewright made, ready.
func initialized(t *testing.T, lab *bed.TestLab, spec bed.Spec) (*bed.Machine, result) {
	t.Helper()
	m := lab.Machine(t, spec)
	m.WriteFile(t, configPath, bed.InitConfig(m), 0o600)
	r := run(m, "kubewright", "init", "--config", configPath)
	if r.code != 0 {
		t.Fatalf("kubewright init: exit code %d\n%s%s", r.code, r.out, r.err)
	}
	ready(t, m)
	return m, r
}

// ready waits until all nodes and kube-system pods are ready.
func ready(t *testing.T, m *bed.Machine) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute)
	defer cancel()
	if err := m.WaitReady(ctx, testLog{t}); err != nil {
		t.Fatal(err)
	}
}

// eventually waits until check returns "", which otherwise says what is wrong.
func eventually(t *testing.T, within time.Duration, check func() string) {
	t.Helper()
	deadline := time.Now().Add(within)
	for {
		wrong := check()
		if wrong == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("still after %s: %s", within, wrong)
		}
		time.Sleep(250 * time.Millisecond)
	}
}

// kubectl runs kubectl and returns what it says, error or not.
func kubectl(m *bed.Machine, args ...string) (string, bool) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	out, err := m.KubectlCommand(ctx, args...).CombinedOutput()
	return string(out), err == nil
}

// writeFile writes a file of the host, where kubectl runs.
func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// testLog writes lines to the test's log.
type testLog struct{ t *testing.T }

func (l testLog) Write(p []byte) (int, error) {
	l.t.Log(strings.TrimSpace(string(p)))
	return len(p), nil
}

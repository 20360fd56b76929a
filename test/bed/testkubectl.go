package bed

import (
	"bytes"
	"context"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// Kubectl runs the host's kubectl as the cluster's administrator, with this machine's kubeconfig, and returns what it wrote to
// stdout.
func (m *Machine) Kubectl(t testing.TB, args ...string) string {
	t.Helper()
	return mustKubectl(t, m.KubectlCommand, args)
}

// Kubectl is the same with the lab's kubeconfig: behind the load balancer it does not need the first control plane.
func (l *TestLab) Kubectl(t testing.TB, args ...string) string {
	t.Helper()
	return mustKubectl(t, l.KubectlCommand, args)
}

func mustKubectl(t testing.TB, kubectl func(context.Context, ...string) *exec.Cmd, args []string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	cmd := kubectl(ctx, args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("kubectl %s: %v\n%s%s", strings.Join(args, " "), err, &out, &errs)
	}
	return out.String()
}

package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/kubewright/kubewright/test/bed"
)

// TestInitInterrupted kills init at several moments, without warning, and runs it again: it carries on to the end.
func TestInitInterrupted(t *testing.T) {
	bed.Need(t)
	lab := bed.NewLab(t)
	m := lab.Machine(t, bed.Spec{Name: "cp1"})
	m.WriteFile(t, configPath, bed.InitConfig(m), 0o600)
	for _, after := range []string{"0.1", "0.2", "0.4", "1", "2", "4", "6"} {
		r := run(m, "timeout", "-s", "KILL", after, "kubewright", "init", "--config", configPath)
		if r.code != 137 && r.code != 0 && !strings.Contains(r.err, "Killed") && r.code != -1 {
			t.Fatalf("killed after %s s, but: exit code %d\n%s%s", after, r.code, r.out, r.err)
		}
		if half := run(m, "find", "/etc/kubernetes", "-size", "0", "-type", "f"); half.out != "" {
			t.Errorf("empty files after %s s:\n%s", after, half.out)
		}
	}
	if r := run(m, "kubewright", "init", "--config", configPath); r.code != 0 {
		t.Fatalf("the last run: exit code %d\n%s%s", r.code, r.out, r.err)
	}
	ready(t, m)
	if r := run(m, "kubewright", "init", "--config", configPath); r.code != 0 || !strings.Contains(r.err, "Nothing to do") {
		t.Errorf("once more: exit code %d\n%s%s", r.code, r.out, r.err)
	}
}

// TestInitLocked starts two at once: the second waits or says who works.
func TestInitLocked(t *testing.T) {
	bed.Need(t)
	lab := bed.NewLab(t)
	m := lab.Machine(t, bed.Spec{Name: "cp1"})
	m.WriteFile(t, configPath, bed.InitConfig(m), 0o600)
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	first := make(chan string, 1)
	go func() {
		_, err, code := m.Run(ctx, "kubewright", "init", "--config", configPath)
		first <- fmt.Sprintf("%d %s", code, err)
	}()
	eventually(t, 10*time.Second, func() string {
		if _, err := m.Stat("/etc/kubernetes/pki"); err != nil {
			return "the first one has not begun"
		}
		return ""
	})
	r := run(m, "kubewright", "init", "--config", configPath)
	if r.code == 0 || !strings.Contains(r.err, "kubewright init") || !strings.Contains(r.err, "pid") {
		t.Errorf("the second one: exit code %d\n%s", r.code, r.err)
	}
	if got := <-first; !strings.HasPrefix(got, "0 ") {
		t.Errorf("the first one: %s", got)
	}
}

// TestInitMended runs init with a mistake that only shows when the API server starts. The run ends with its last words; with the
// mistake mended the same command carries on, although containers that failed are still there.
func TestInitMended(t *testing.T) {
	bed.Need(t)
	lab := bed.NewLab(t)
	m := lab.Machine(t, bed.Spec{Name: "cp1"})
	good := bed.InitConfig(m)
	m.WriteFile(t, configPath, strings.Replace(good, "kind: ClusterConfiguration\n",
		"kind: ClusterConfiguration\napiServer: {extraArgs: [{name: no-such-flag, value: \"1\"}]}\n", 1), 0o600)
	began := time.Now()
	r := run(m, "kubewright", "init", "--config", configPath)
	if r.code == 0 || !strings.Contains(r.err, "unknown flag: --no-such-flag") || !strings.Contains(r.err, "run the same command again") {
		t.Fatalf("exit code %d after %s\n%s%s", r.code, time.Since(began), r.out, r.err)
	}
	t.Logf("the mistake was told after %s", time.Since(began))
	m.WriteFile(t, configPath, good, 0o600)
	if r := run(m, "kubewright", "init", "--config", configPath); r.code != 0 {
		t.Fatalf("the mended run: exit code %d\n%s%s", r.code, r.out, r.err)
	}
	ready(t, m)
}

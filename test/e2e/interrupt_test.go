package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/kubewright/kubewright/cause"
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
	if r.code != cause.Busy.Exit() || !strings.Contains(r.err, "kubewright init") || !strings.Contains(r.err, "pid") {
		t.Errorf("the second one: exit code %d\n%s", r.code, r.err)
	}
	if got := <-first; !strings.HasPrefix(got, "0 ") {
		t.Errorf("the first one: %s", got)
	}
}

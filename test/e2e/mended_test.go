package e2e

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/kubewright/kubewright/test/bed"
)

// TestInitMended runs init with a mistake in the configuration of etcd and of the API server, mends one after the other and runs
// it again. What crashed before is no reason to give up, neither a component nor a packaged kubelet, which crashes until init has
// configured it.
func TestInitMended(t *testing.T) {
	bed.Need(t)
	lab := bed.NewLab(t)
	m := lab.Machine(t, bed.Spec{Name: "cp1", KubeletUnit: true})
	m.WriteFile(t, "/etc/systemd/system/kubelet.service.d/00-test.conf", "[Unit]\nStartLimitIntervalSec=0\n[Service]\nRestartSec=1\n", 0o644)
	m.MustRun(t, "systemctl", "daemon-reload")
	m.MustRun(t, "systemctl", "start", "kubelet")
	eventually(t, time.Minute, func() string {
		if n := kubeletRestarts(t, m); n < 6 {
			return "the kubelet has ended only " + strconv.Itoa(n) + " times"
		}
		return ""
	})
	right := bed.InitConfig(m)
	for _, c := range []struct {
		name, extra string
	}{
		{"etcd", "etcd:\n  local:\n    extraArgs: [{name: no-such-flag, value: x}]\n"},
		{"API server", "apiServer:\n  extraArgs: [{name: no-such-flag, value: x}]\n"},
	} {
		text := strings.Replace(right, "kind: ClusterConfiguration\n", "kind: ClusterConfiguration\n"+c.extra, 1)
		m.WriteFile(t, configPath, text, 0o600)
		began := time.Now()
		r := run(m, "kubewright", "init", "--config", configPath)
		if r.code == 0 || !strings.Contains(r.err, "no-such-flag") || !strings.Contains(r.err, ".extraArgs, or in the patch that it comes from") ||
			!strings.Contains(r.err, "run the same command again") {
			t.Fatalf("%s: exit code %d\n%s%s", c.name, r.code, r.out, r.err)
		}
		t.Logf("%s after %s:\n%s", c.name, time.Since(began).Round(time.Second), r.err)
	}
	m.WriteFile(t, configPath, right, 0o600)
	if r := run(m, "kubewright", "init", "--config", configPath); r.code != 0 {
		t.Fatalf("after it was mended: exit code %d\n%s%s", r.code, r.out, r.err)
	}
	if n := kubeletRestarts(t, m); n != 0 {
		t.Errorf("%d restarts of before init are still counted", n)
	}
	ready(t, m)
	if r := run(m, "kubewright", "init", "--config", configPath); r.code != 0 || !strings.Contains(r.err, "Nothing to do") {
		t.Errorf("once more: exit code %d\n%s%s", r.code, r.out, r.err)
	}
}

func kubeletRestarts(t *testing.T, m *bed.Machine) int {
	t.Helper()
	out := m.MustRun(t, "systemctl", "show", "kubelet", "-p", "NRestarts", "--value")
	n, err := strconv.Atoi(strings.TrimSpace(out))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/kubewright/kubewright/test/bed"
)

// TestFaultsFullDisk lets the same init run out of space in one place after the other. Each time it says where, leaves nothing
// half-written, and goes on when there is space.
func TestFaultsFullDisk(t *testing.T) {
	bed.Need(t)
	m := bed.NewLab(t).Machine(t, bed.Spec{Name: "cp1"})
	m.WriteFile(t, configPath, bed.InitConfig(m), 0o600)
	for _, disk := range []struct {
		path, size string
		want       []string
	}{
		{"/var/lib/kubewright", "16k", []string{"journal", "/var/lib/kubewright/runs/"}},
		{"/etc/kubernetes", "100k", []string{"cannot write /etc/kubernetes/"}},
		{"/var/lib/etcd", "8m", []string{"etcd"}}, // too small for the log that etcd lays out beforehand
	} {
		m.MustRun(t, "mkdir", "-p", disk.path)
		m.MustRun(t, "mount", "-t", "tmpfs", "-o", "mode=0700,size="+disk.size, "full", disk.path)
		began := time.Now()
		r := run(m, "kubewright", "init", "--config", configPath)
		t.Logf("%s with %s: after %s\n%s", disk.path, disk.size, time.Since(began).Round(10*time.Millisecond), r.err)
		for _, want := range append(disk.want, "no space left on device", "run the same command again") {
			if r.code != 1 || !strings.Contains(r.err, want) {
				t.Errorf("no word of %q: exit code %d", want, r.code)
			}
		}
		for item := range m.Inventory(t) {
			if temporary.MatchString(item.Name) {
				t.Errorf("half-written: %s", item.Name)
			}
		}
		if empty := run(m, "find", "/etc/kubernetes", "-size", "0", "-type", "f"); empty.out != "" {
			t.Errorf("empty files:\n%s", empty.out)
		}
		m.MustRun(t, "mount", "-o", "remount,size=512m", disk.path)
	}
	kept := contents(t, m)
	m.MustRun(t, "kubewright", "init", "--config", configPath)
	kept.same(t, m)
	ready(t, m)
	untouched(t, m, []string{"init", "--config", configPath})
}

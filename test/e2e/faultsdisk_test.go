package e2e

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/kubewright/kubewright/cause"
	"github.com/kubewright/kubewright/test/bed"
)

// TestFaultsFullDisk lets the same init run out of space in one place after the other. Each time it says where, leaves nothing
// half-written, and goes on when there is space.
func TestFaultsFullDisk(t *testing.T) {
	bed.Need(t)
	m := bed.NewLab(t).Machine(t, bed.Spec{Name: "cp1"})
	m.WriteFile(t, configPath, bed.InitConfig(m), 0o600)
	disks := []struct {
		path string
		// size is that of the disk, in KiB, and left what is free of it at first.
		size, left int
		want       []string
	}{
		{"/etc/kubernetes/pki", 4 << 10, 60, []string{"cannot write /etc/kubernetes/pki/"}},
		{"/var/lib/kubewright", 1 << 10, 4, []string{"cannot write the journal", "/var/lib/kubewright/runs/"}},
		{"/var/lib/etcd", 256 << 10, 8 << 10, []string{"etcd"}}, // too little for the log that etcd lays out beforehand
	}
	if os.Getenv("KUBEWRIGHT_FAULTS") == "" {
		disks = disks[:2] // the kubelet lets etcd wait for most of a minute after its crashes
	}
	const filler = "/filler"
	for _, d := range disks {
		m.MustRun(t, "mkdir", "-p", d.path)
		m.MustRun(t, "mount", "-t", "tmpfs", "-o", fmt.Sprintf("mode=0700,size=%dk", d.size), "full", d.path)
	}
	for _, d := range disks {
		const fill = "free=$(df --output=avail -k %[1]s | tail -1); fallocate -l $((free-%[2]d))K %[1]s%[3]s"
		m.MustRun(t, "sh", "-c", fmt.Sprintf(fill, d.path, d.left, filler))
		began := time.Now()
		r := run(m, "kubewright", "init", "--config", configPath, "--ignore-preflight-errors=DirAvailable--var-lib-etcd") // the filler
		t.Logf("%s: after %s\n%s", d.path, time.Since(began).Round(10*time.Millisecond), r.err)
		for _, want := range append(d.want, "no space left on device", "run the same command again") {
			if r.code != cause.Incomplete.Exit() || !strings.Contains(r.err, want) {
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
		m.Remove(t, d.path+filler)
	}
	kept := contents(t, m)
	m.MustRun(t, "kubewright", "init", "--config", configPath)
	kept.same(t, m)
	ready(t, m)
	untouched(t, m, []string{"init", "--config", configPath})
}

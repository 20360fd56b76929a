package e2e

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubewright/kubewright/cause"
	"github.com/kubewright/kubewright/test/bed"
)

// TestResetHA gives control planes of three back. The others go on serving; where they would not, the reset refuses, and consent makes
// it go on.
func TestResetHA(t *testing.T) {
	bed.Need(t)
	c := &ha{lab: bed.NewLab(t)}
	c.lab.LoadBalancer(t)
	c.machines = c.lab.MachinesAtOnce(t, bed.Spec{Name: "cp1"}, bed.Spec{Name: "cp2"}, bed.Spec{Name: "cp3"})
	cp, second, third := c.machines[0], c.machines[1], c.machines[2]
	cp.WriteFile(t, configPath, bed.InitConfig(cp, bed.WithEndpoint(c.lab.Endpoint())), 0o600)
	_, join := bed.ReadJoin(cp.MustRun(t, "kubewright", "init", "--config", configPath, "--upload-certs"))
	if join == nil {
		t.Fatal("init printed no join command for control planes")
	}
	before := third.Inventory(t)
	for _, m := range c.machines[1:] {
		joinNow(t, m, join...)
	}
	voters(t, cp, 3)

	longest := c.writing(t, func() { resets(t, third) })
	t.Logf("the longest time without a write was %s", longest.Round(10*time.Millisecond))
	if longest > 5*time.Second {
		t.Errorf("the API could not be written for %s", longest)
	}
	voters(t, cp, 2)
	gone(t, cp, third.Name)
	givenBack(t, third, before, mayLeave()...)
	if wrong := c.write("after"); wrong != "" {
		t.Error(wrong)
	}

	joinNow(t, third, join...) // also with what the first one has left
	voters(t, cp, 3)
	off(t, third)
	stays(t, second, "quorum") // of two voters that stay, one would work
	voters(t, cp, 3)
	off(t, second)
	stays(t, cp, "--force-data-loss")
	resets(t, cp, "--force-data-loss")
	if data, _ := filepath.Glob(cp.Path("/var/lib/etcd.reset-*/member")); len(data) != 1 {
		t.Errorf("the data of the last member is not where it was moved to: %v", data)
	}
	for _, path := range []string{"/var/lib/etcd/member", etcdManifest, bed.AdminConf} {
		if _, err := cp.Stat(path); err == nil {
			t.Errorf("%s is still there", path)
		}
	}
}

func off(t *testing.T, m *bed.Machine) {
	t.Helper()
	if err := m.PowerOff(); err != nil {
		t.Fatal(err)
	}
}

// stays expects that a reset is refused with some word, and that nothing of the machine changes.
func stays(t *testing.T, m *bed.Machine, why string) {
	t.Helper()
	before, data := listed(t, m), etcdData(t, m)
	began := time.Now()
	r := run(m, "kubewright", "reset", "-f")
	t.Logf("refused after %s:\n%s", time.Since(began).Round(10*time.Millisecond), r.err)
	if r.code != cause.Refused.Exit() || !strings.Contains(r.err, why) {
		t.Errorf("no refusal with %q: exit code %d\n%s", why, r.code, r.out)
	}
	if diff := cmp.Diff(before, listed(t, m)); diff != "" {
		t.Errorf("files changed:\n%s", diff)
	}
	if now := etcdData(t, m); now != data || data == "" {
		t.Errorf("etcd's data is another one: %s, then %s", data, now)
	}
	if state := strings.TrimSpace(run(m, "systemctl", "is-active", "kubelet").out); state != "active" {
		t.Errorf("the kubelet is %s", state)
	}
}

// listed is the listing of files that a running control plane does not change.
func listed(t *testing.T, m *bed.Machine) []string {
	t.Helper()
	lines := strings.Split(listing(t, m), "\n")
	return slices.DeleteFunc(lines, func(l string) bool {
		return strings.HasPrefix(l, "/var/lib/etcd") || strings.HasPrefix(l, "/var/lib/kubelet/pods") || strings.HasPrefix(l, "/var/lib/kubelet ")
	})
}

// etcdData says which folder holds etcd's data: another one in its place has another inode.
func etcdData(t *testing.T, m *bed.Machine) string {
	t.Helper()
	return strings.TrimSpace(run(m, "stat", "-c", "%i %n", "/var/lib/etcd/member/snap/db").out)
}

// writing writes through the load balancer again and again while something is done, and returns the longest time that none succeeded.
func (c *ha) writing(t *testing.T, what func()) (longest time.Duration) {
	t.Helper()
	stop, stopped := make(chan bool), make(chan bool)
	go func() {
		defer close(stopped)
		last := time.Now()
		for i := 0; ; i++ {
			ok := c.write(fmt.Sprintf("during-%d", i)) == ""
			longest = max(longest, time.Since(last))
			if ok {
				last = time.Now()
			}
			select {
			case <-stop:
				return
			case <-time.After(50 * time.Millisecond):
			}
		}
	}()
	what()
	time.Sleep(2 * time.Second) // what breaks may break when the others notice
	close(stop)
	<-stopped
	return longest
}

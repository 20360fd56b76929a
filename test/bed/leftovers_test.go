package bed

import (
	"bufio"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink"
)

// leftovers lists everything on the host that belongs to a lab: by name, by folder, and by the namespaces that its
// machines had. Other things come and go on a host while a test runs.
func leftovers(t *testing.T, l *Lab, namespaces map[string]bool) []string {
	t.Helper()
	var found []string
	links, err := netlink.LinkList()
	if err != nil {
		t.Fatal(err)
	}
	for _, link := range links {
		if strings.HasPrefix(link.Attrs().Name, l.prefix()) {
			found = append(found, "link "+link.Attrs().Name)
		}
	}
	for _, h := range hierarchies() {
		groups, _ := filepath.Glob(filepath.Join(h.path, l.prefix()+"*"))
		for _, g := range groups {
			found = append(found, "cgroup "+g)
		}
	}
	processes, _ := filepath.Glob("/proc/[0-9]*")
	for _, p := range processes {
		pid, err := strconv.Atoi(filepath.Base(p))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := processOf(pid); err != nil {
			continue // it has ended; that the host's init has not collected it yet is not ours to hurry
		}
		for ns := range namespacesOf(p) {
			if namespaces[ns] {
				found = append(found, "process "+p+" in "+ns)
			}
		}
		mounts, _ := os.ReadFile(filepath.Join(p, "mountinfo"))
		if strings.Contains(string(mounts), l.dir()+"/") {
			found = append(found, "mount seen by "+p)
		}
		groups, _ := os.ReadFile(filepath.Join(p, "cgroup"))
		if strings.Contains(string(groups), "/"+l.prefix()) {
			found = append(found, "process "+p+" in our cgroup")
		}
	}
	if _, err := os.Stat(l.dir()); err == nil {
		found = append(found, "folder "+l.dir())
	}
	return found
}

func namespacesOf(proc string) map[string]bool {
	set := map[string]bool{}
	for _, kind := range []string{"mnt", "pid", "net", "uts", "ipc", "cgroup"} {
		if ns, err := os.Readlink(filepath.Join(proc, "ns", kind)); err == nil {
			set[ns] = true
		}
	}
	return set
}

// ownNamespaces are those of a running machine, less the host's: a leaked one must not hide behind an equal name.
func ownNamespaces(t *testing.T, m *Machine) map[string]bool {
	t.Helper()
	set := namespacesBeside(m)
	if len(set) != 6 {
		t.Fatalf("%s has %d namespaces of its own, want 6: %v", m.Name, len(set), set)
	}
	return set
}

// namespacesBeside are those that a machine, which may still boot, has beside the host's.
func namespacesBeside(m *Machine) map[string]bool {
	set := namespacesOf(fmt.Sprint("/proc/", m.Init().PID))
	for ns := range namespacesOf("/proc/self") {
		delete(set, ns)
	}
	return set
}

// hostSettings are what a machine could change on its host by mistake.
func hostSettings(t *testing.T) map[string]string {
	t.Helper()
	settings := map[string]string{}
	for _, name := range []string{
		"vm/overcommit_memory", "vm/panic_on_oom", "kernel/panic", "kernel/panic_on_oops", "kernel/keys/root_maxkeys",
		"kernel/hostname", "net/ipv4/ip_forward", "net/netfilter/nf_conntrack_max",
	} {
		data, _ := os.ReadFile("/proc/sys/" + name)
		settings[name] = string(data)
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	settings["mounts"] = string(mounts)
	return settings
}

func TestBedLeavesNothing(t *testing.T) {
	Need(t)
	before := hostSettings(t)
	kill := func(t *testing.T, p Process) {
		if err := syscall.Kill(p.PID, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	remove := func(t *testing.T, path string) {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	for name, crash := range map[string]func(*testing.T, *Lab){
		"after down":                         func(*testing.T, *Lab) {},
		"after kill -9 of a machine's init":  func(t *testing.T, l *Lab) { kill(t, l.Machines()[0].Init()) },
		"after kill -9 of the load balancer": func(t *testing.T, l *Lab) { kill(t, l.Balancer()) },
		"with a frozen process": func(t *testing.T, l *Lab) { // as runc leaves one when it is killed, where cgroups have version 1
			l.Machines()[0].MustRun(t, "sh", "-c", `cd /sys/fs/cgroup/freezer 2>/dev/null || exit 0
mkdir ice && systemd-run -q --unit=ice sleep 600 && systemctl show -P MainPID ice > ice/cgroup.procs && echo FROZEN > ice/freezer.state && grep -q FROZEN ice/freezer.state`)
		},
		"after a power cut": func(t *testing.T, l *Lab) {
			if err := l.Machines()[1].PowerOff(); err != nil {
				t.Fatal(err)
			}
		},
		"when the records are gone": func(t *testing.T, l *Lab) {
			for _, m := range l.Machines() {
				remove(t, filepath.Join(m.dir(), "machine.json"))
			}
			remove(t, l.balancerRecord())
		},
	} {
		t.Run(name, func(t *testing.T) {
			lab := NewLab(t)
			lab.LoadBalancer(t)
			ours := map[string]bool{}
			machines := lab.MachinesAtOnce(t, Spec{Name: "cp1"}, Spec{Name: "w1"})
			for _, m := range machines {
				maps.Copy(ours, ownNamespaces(t, m))
			}
			sleeper := machines[0].Command("sleep", "600")
			if err := sleeper.Start(); err != nil {
				t.Fatal(err)
			}
			balancer := fmt.Sprintf("process /proc/%d in our cgroup", lab.Balancer().PID)
			if found := leftovers(t, lab.Lab, ours); len(found) < 10 || !slices.Contains(found, balancer) {
				t.Fatalf("the search sees only %v of two running machines, and not %s", found, balancer)
			}
			crash(t, lab.Lab)
			again, err := OpenLab(lab.cache, lab.Name) // as another process does
			if err != nil {
				t.Fatal(err)
			}
			if err := again.Down(); err != nil {
				t.Fatal(err)
			}
			sleeper.Wait() //nolint:errcheck // it was killed
			// What was outside of the machine and looked into it, as the command that the sleeper ran in, ends a moment later.
			found := leftovers(t, lab.Lab, ours)
			for deadline := time.Now().Add(5 * time.Second); len(found) > 0 && time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
				found = leftovers(t, lab.Lab, ours)
			}
			if len(found) > 0 {
				t.Errorf("left behind:\n%s", strings.Join(found, "\n"))
			}
		})
	}
	if diff := cmp.Diff(before, hostSettings(t)); diff != "" {
		t.Errorf("the host changed (-before +after):\n%s", diff)
	}
}

// TestBedOwnerKilled kills -9 a process that has a lab, and expects the next one to find and remove the lab.
func TestBedOwnerKilled(t *testing.T) {
	Need(t)
	if os.Getenv("KUBEWRIGHT_TEST_OWNER") == "1" {
		lab := NewLab(t)
		lab.LoadBalancer(t)
		m := lab.Machine(t, Spec{Name: "cp1"})
		fmt.Printf("\nlab %s %d\n", lab.Name, m.Init().PID)
		os.Stdin.Read(make([]byte, 1)) //nolint:errcheck // until it is killed
		return
	}
	owner := exec.Command(os.Args[0], "-test.run", "^TestBedOwnerKilled$", "-test.v")
	owner.Env = append(os.Environ(), "KUBEWRIGHT_TEST_OWNER=1")
	owner.Stderr = os.Stderr
	if _, err := owner.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := owner.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := owner.Start(); err != nil {
		t.Fatal(err)
	}
	var name string
	var pid int
	for lines := bufio.NewScanner(out); name == "" && lines.Scan(); {
		fmt.Sscanf(lines.Text(), "lab %s %d", &name, &pid) //nolint:errcheck // most lines are others
	}
	if err := owner.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	owner.Wait() //nolint:errcheck // killed
	all, err := built()
	if err != nil {
		t.Fatal(err)
	}
	lab, err := OpenLab(all.cache, name)
	if err != nil {
		t.Fatal(err)
	}
	m, err := lab.Get("cp1")
	if err != nil || m.Init().PID != pid || !m.Init().Alive() {
		t.Fatalf("the machine should have survived its maker: %+v, %v", m, err)
	}
	if !lab.Balancer().Alive() {
		t.Error("the load balancer should have survived its maker")
	}
	ours := ownNamespaces(t, m)
	if err := SweepLabs(all.cache, false); err != nil {
		t.Fatal(err)
	}
	if found := leftovers(t, lab, ours); len(found) > 0 {
		t.Errorf("left behind:\n%s", strings.Join(found, "\n"))
	}
}

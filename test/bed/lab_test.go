package bed

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// recorded is a lab without a network, whose records are in a folder of the test.
func recorded(t *testing.T) *Lab {
	t.Helper()
	l := &Lab{Name: "l", Index: 3, cache: Cache{Dir: t.TempDir()}, machines: map[string]*Machine{}}
	if err := saveJSON(filepath.Join(l.dir(), "lab.json"), l); err != nil {
		t.Fatal(err)
	}
	return l
}

// Machines that are added at the same time have addresses of their own, and another process finds them as they are.
func TestLabRecords(t *testing.T) {
	l := recorded(t)
	var all sync.WaitGroup
	for _, name := range []string{"cp1", "cp2", "w1", "w2"} {
		all.Go(func() {
			m, err := l.add(name)
			if err != nil {
				t.Error(err)
				return
			}
			if err := m.record(machineState{Init: Process{PID: 10, Start: name}}); err != nil {
				t.Error(err)
			}
			if err := m.record(machineState{Init: Process{PID: 11, Start: name}, Up: true}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if _, err := l.add("w1"); err == nil {
		t.Error("a second machine of the same name")
	}
	found, err := OpenLab(l.cache, l.Name)
	if err != nil {
		t.Fatal(err)
	}
	addresses := map[string]bool{}
	for _, m := range found.Machines() {
		addresses[m.IP()] = true
		if own, err := l.Get(m.Name); err != nil || m.current() != own.current() || m.IP() != own.IP() || m.Init().Start != m.Name {
			t.Errorf("%s was read as %+v at %s", m.Name, m.current(), m.IP())
		}
	}
	if len(addresses) != 4 {
		t.Errorf("addresses %v; want four", addresses)
	}
}

func TestStatus(t *testing.T) {
	l := recorded(t)
	dead, self := Process{PID: 1, Start: "never"}, ThisProcess()
	for name, state := range map[string]machineState{
		"up1": {self, true}, "booting1": {self, false}, "dead1": {dead, true}, "off1": {dead, false},
	} {
		m, err := l.add(name)
		if err == nil {
			err = m.record(state)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := saveJSON(l.balancerRecord(), self); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := Status(l.cache, &out); err != nil {
		t.Fatal(err)
	}
	for what, state := range map[string]string{
		"up1": " up ", "booting1": " booting ", "dead1": " dead ", "off1": " off ", "load balancer  10.213.3.1:6443": " up ",
	} {
		found := false
		for line := range strings.Lines(out.String()) {
			found = found || strings.Contains(line, what+" ") && strings.Contains(line, state)
		}
		if !found {
			t.Errorf("no line with %q and%s:\n%s", what, state, &out)
		}
	}
}

// The administrator's kubeconfig is found on the disk of any machine, also of one that is off.
func TestKubeconfig(t *testing.T) {
	l := recorded(t)
	for _, name := range []string{"cp1", "cp2", "cp3"} {
		if _, err := l.add(name); err != nil {
			t.Fatal(err)
		}
	}
	args := func() string { return strings.Join(l.KubectlCommand(t.Context(), "get", "nodes").Args, " ") }
	if got := args(); !strings.Contains(got, "--kubeconfig "+l.dir()) {
		t.Errorf("with no kubeconfig anywhere: %s; it would use one of the host", got)
	}
	second := filepath.Join(l.dir(), "machines/cp2/upper/etc/kubernetes/admin.conf")
	if err := writeFile(second, "", 0o600); err != nil {
		t.Fatal(err)
	}
	// What an overlay leaves of a removed file is no regular one.
	first := filepath.Join(l.dir(), "machines/cp1/upper/etc/kubernetes")
	if err := os.MkdirAll(filepath.Join(first, "admin.conf"), 0o755); err != nil {
		t.Fatal(err)
	}
	if got := args(); !strings.Contains(got, "--kubeconfig "+second+" get nodes") {
		t.Errorf("%s; want the one of cp2", got)
	}
}

package bed

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// started runs `bed up` for a lab of its own until the moment that a file is on the disk of one of its machines.
func started(t *testing.T, all *TestLab, name, machine, path string) (up *exec.Cmd, lab *Lab, namespaces map[string]bool) {
	t.Helper()
	up = exec.Command(all.Kit.Bed, "--name", name, "up")
	var said bytes.Buffer
	up.Stdout, up.Stderr = &said, &said
	if err := up.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { up.Process.Kill() }) //nolint:errcheck // it should have ended
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(5 * time.Millisecond) {
		var err error
		if lab, err = OpenLab(all.cache, name); err == nil {
			if machine == "" {
				return up, lab, nil
			}
			if m, err := lab.Get(machine); err == nil {
				if _, err := os.Stat(m.diskPath(path)); err == nil && m.Init().Alive() {
					return up, lab, namespacesBeside(m)
				}
			}
		}
		if time.Now().After(deadline) {
			up.Process.Kill() //nolint:errcheck // the test fails anyway
			up.Wait()         //nolint:errcheck // the test fails anyway
			t.Fatalf("%s has no %s after two minutes:\n%s", machine, path, &said)
		}
	}
}

// TestUpKilled ends `bed up` at several moments, by kill -9 or by `bed down` itself, which then finds and removes everything.
func TestUpKilled(t *testing.T) {
	Need(t)
	all, err := built()
	if err != nil {
		t.Fatal(err)
	}
	for i, moment := range []struct {
		machine, path string
		kill          bool
	}{
		{"", "", true}, // nothing but the record of the lab
		{"", "", false},
		{"w1", "/etc/hostname", true}, // both machines boot
		{"w1", "/etc/hostname", false},
		{"cp1", "/etc/kubernetes/admin.conf", true},  // init works
		{"w1", "/etc/kubernetes/kubelet.conf", true}, // join works
		{"w1", "/etc/kubernetes/kubelet.conf", false},
	} {
		t.Run(fmt.Sprint(i, moment), func(t *testing.T) {
			name := fmt.Sprintf("killed-%d-%d", i, os.Getpid())
			up, lab, namespaces := started(t, all, name, moment.machine, moment.path)
			if moment.kill {
				if err := up.Process.Kill(); err != nil {
					t.Fatal(err)
				}
				up.Wait() //nolint:errcheck // killed
			}
			out, err := exec.Command(all.Kit.Bed, "--name", name, "down").CombinedOutput()
			if err != nil {
				t.Fatalf("bed down: %v\n%s", err, out)
			}
			up.Wait() //nolint:errcheck // killed
			if found := leftovers(t, lab, namespaces); len(found) > 0 {
				t.Errorf("left behind:\n%s", strings.Join(found, "\n"))
			}
		})
	}
}

// TestUp makes clusters of several machines with either tool, over one that was killed half-way. What the administrator has
// goes on working without the first control plane.
func TestUp(t *testing.T) {
	Need(t)
	all, err := built()
	if err != nil {
		t.Fatal(err)
	}
	repo, err := RepoRoot()
	if err != nil {
		t.Fatal(err)
	}
	for _, up := range []Up{
		{Tool: "kubewright", ControlPlanes: 3, Workers: 2},
		{Tool: "kubeadm", ControlPlanes: 2, Workers: 1},
	} {
		t.Run(up.Tool, func(t *testing.T) {
			up.Lab, up.Owner = fmt.Sprintf("up-%s-%d", up.Tool, os.Getpid()), ThisProcess()
			killed, old, namespaces := started(t, all, up.Lab, "w1", "/etc/hostname")
			if err := killed.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			killed.Wait() //nolint:errcheck // killed
			var out, log bytes.Buffer
			up.Out, up.Log = &out, &log
			err := up.Run(&Builder{Cache: all.cache, Repo: repo, Log: &log, Self: all.Kit.Bed})
			t.Cleanup(func() {
				if lab, err := OpenLab(all.cache, up.Lab); err == nil {
					if t.Failed() {
						t.Logf("logs of the machines: %s", lab.SaveLogs())
					}
					if err := lab.Down(); err != nil {
						t.Error(err)
					}
				}
				if found := leftovers(t, old, namespaces); len(found) > 0 {
					t.Errorf("left behind:\n%s", strings.Join(found, "\n"))
				}
			})
			if err != nil {
				t.Fatalf("%v\n%s", err, &log)
			}
			checkUp(t, up, &out, &log)
			lab, err := OpenLab(all.cache, up.Lab)
			if err != nil {
				t.Fatal(err)
			}
			if up.ControlPlanes > 2 { // two members of etcd are not enough for one to be missing
				withoutFirst(t, lab)
			}
		})
	}
}

func checkUp(t *testing.T, up Up, out, log *bytes.Buffer) {
	t.Helper()
	rows := map[string]int{}
	for line := range strings.Lines(out.String()) {
		switch fields := strings.Fields(line); {
		case len(fields) < 4:
		case strings.HasPrefix(fields[0], "node/") && fields[1] == "Ready":
			rows[strings.TrimRight(strings.TrimPrefix(fields[0], "node/"), "0123456789")]++
		case strings.HasPrefix(fields[1], "pod/hello-") && fields[3] == "Running":
			rows["hello"]++
		}
	}
	if rows["cp"] != up.ControlPlanes || rows["w"] != up.Workers || rows["hello"] != up.Workers {
		t.Errorf("want %d control planes, and %d workers with a pod each:\n%s", up.ControlPlanes, up.Workers, out)
	}
	for _, want := range []string{"tolerates no taint", " on w1", "make shell NODE="} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("no word of %q:\n%s", want, log)
		}
	}
}

// withoutFirst powers the first control plane off, and writes to the API.
func withoutFirst(t *testing.T, lab *Lab) {
	t.Helper()
	first, err := lab.Get("cp1")
	if err != nil {
		t.Fatal(err)
	}
	if err := first.PowerOff(); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	waitFor(t, func() bool {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		out, err := lab.KubectlCommand(ctx, "create", "configmap", fmt.Sprint("after-", time.Since(start).Milliseconds())).CombinedOutput()
		if err != nil {
			t.Logf("%s after the first control plane went off: %s", since(start), bytes.TrimSpace(out))
		}
		return err == nil
	})
}

package bed

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestLab is a lab that ends with its test.
type TestLab struct {
	*Lab
	kubewright string
}

// Need skips a test that no real machines were asked for. With KUBEWRIGHT_E2E=1, as `make e2e` sets it, a host that cannot
// have machines is a failure: a suite that skips itself proves nothing.
func Need(t testing.TB) {
	t.Helper()
	if os.Getenv("KUBEWRIGHT_E2E") != "1" {
		t.Skip("needs real machines: run it by `make e2e`, which sets KUBEWRIGHT_E2E=1")
	}
	if os.Geteuid() != 0 {
		t.Fatal("real machines need root")
	}
}

// built is what all tests of a process share.
var built = sync.OnceValues(func() (*TestLab, error) {
	cache, err := OpenCache()
	if err != nil {
		return nil, err
	}
	repo, err := RepoRoot()
	if err != nil {
		return nil, err
	}
	if err := SweepLabs(cache, false); err != nil {
		return nil, err
	}
	b := &Builder{Cache: cache, Repo: repo, Log: os.Stderr}
	kit, err := b.Build()
	if err != nil {
		return nil, err
	}
	bin, err := b.Kubewright()
	if err != nil {
		bin = "" // tests of the bed itself do without it; a test that runs it finds no program
		fmt.Fprintln(os.Stderr, "bed:", err)
	}
	return &TestLab{Lab: &Lab{cache: cache, Kit: kit}, kubewright: bin}, nil
})

// NewLab makes an empty lab for the test and takes it down afterwards. If the test failed, logs of its machines are kept
// first, and their place is in the test's output. KUBEWRIGHT_KEEP=1 leaves the lab of a failed test up, for `bed shell`.
func NewLab(t testing.TB) *TestLab {
	t.Helper()
	Need(t)
	all, err := built()
	if err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprintf("%s-%d", strings.Map(plain, strings.ToLower(t.Name())), os.Getpid())
	owner := ThisProcess()
	if os.Getenv("KUBEWRIGHT_KEEP") == "1" {
		owner = Process{}
	}
	lab, err := CreateLab(all.cache, all.Kit, name, owner, Process{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("logs of the machines: %s", lab.SaveLogs())
			if owner == (Process{}) {
				t.Logf("lab %s stays up", name)
				return
			}
		}
		if err := lab.Down(); err != nil {
			t.Error(err)
		}
	})
	return &TestLab{Lab: lab, kubewright: all.kubewright}
}

func plain(r rune) rune {
	if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
		return r
	}
	return '-'
}

// Machine boots a machine with kubewright at /usr/bin/kubewright.
func (l *TestLab) Machine(t testing.TB, spec Spec) *Machine {
	t.Helper()
	return l.MachinesAtOnce(t, spec)[0]
}

// MachinesAtOnce boots machines with kubewright at the same time and returns them in the order of the specs.
func (l *TestLab) MachinesAtOnce(t testing.TB, specs ...Spec) []*Machine {
	t.Helper()
	specs = slices.Clone(specs)
	for i := range specs {
		programs := map[string]string{}
		if l.kubewright != "" {
			programs["kubewright"] = l.kubewright
		}
		maps.Copy(programs, specs[i].Binaries)
		specs[i].Binaries = programs
	}
	machines, err := l.BootAll(specs...)
	if err != nil {
		t.Fatal(err)
	}
	return machines
}

// Faulty builds the kubewright that can be ended at an exact point, for Spec.Binaries.
func Faulty(t testing.TB) string {
	t.Helper()
	cache, err := OpenCache()
	if err != nil {
		t.Fatal(err)
	}
	repo, err := RepoRoot()
	if err != nil {
		t.Fatal(err)
	}
	program, err := (&Builder{Cache: cache, Repo: repo, Log: os.Stderr}).Faulty()
	if err != nil {
		t.Fatal(err)
	}
	return program
}

// LoadBalancer starts the lab's load balancer, if it does not run, and returns its address, for WithEndpoint.
func (l *TestLab) LoadBalancer(t testing.TB) string {
	t.Helper()
	if err := l.StartBalancer(); err != nil {
		t.Fatal(err)
	}
	return l.Endpoint()
}

// Run runs a command in the machine. The code is -1 when it did not run at all or when ctx ended it, and stderr says why.
func (m *Machine) Run(ctx context.Context, args ...string) (stdout, stderr string, code int) {
	cmd := m.CommandContext(ctx, args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	return out2(cmd.Run(), &out, &errs)
}

func out2(err error, out, errs *bytes.Buffer) (stdout, stderr string, code int) {
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		code = exit.ExitCode()
	case err != nil:
		code = -1
		fmt.Fprintf(errs, "\n%v", err)
	}
	return out.String(), errs.String(), code
}

// MustRun is Run for a command that has to work within five minutes; it returns what the command wrote to stdout.
func (m *Machine) MustRun(t testing.TB, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	stdout, stderr, code := m.Run(ctx, args...)
	if code != 0 {
		t.Fatalf("on %s: %s: exit code %d\n%s%s", m.Name, strings.Join(args, " "), code, stdout, stderr)
	}
	return stdout
}

// WriteFile writes a file of the machine, and the folders above it.
func (m *Machine) WriteFile(t testing.TB, path, text string, mode os.FileMode) {
	t.Helper()
	err := writeFile(m.Path(path), text, mode)
	if err == nil {
		err = os.Chmod(m.Path(path), mode)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// ReadFile reads a file of the machine.
func (m *Machine) ReadFile(t testing.TB, path string) string {
	t.Helper()
	data, err := os.ReadFile(m.Path(path))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// Stat is os.Stat of a file of the machine.
func (m *Machine) Stat(path string) (os.FileInfo, error) { return os.Stat(m.Path(path)) }

// Remove removes a file or folder of the machine.
func (m *Machine) Remove(t testing.TB, path string) {
	t.Helper()
	if err := os.RemoveAll(m.Path(filepath.Clean("/" + path))); err != nil {
		t.Fatal(err)
	}
}

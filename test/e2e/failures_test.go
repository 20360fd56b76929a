package e2e

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kubewright/kubewright/cause"
	"github.com/kubewright/kubewright/test/bed"
)

// causeWithin is how soon a wait ends when the cause can be seen.
const causeWithin = 5 * time.Second

// failure is a control plane that will never work. The error of init has the cause, the line that tells it, once, and what to do.
type failure struct {
	name string
	// patches are by file name; extra is more of the ClusterConfiguration, and edit changes the whole.
	patches map[string]string
	extra   string
	edit    func(string) string
	prepare func(*testing.T) func()
	cause   string
	line    string
	hint    string
	// within is how soon the command ends, where that is more than causeWithin.
	within time.Duration
	// args are more arguments of init, reset those of the reset afterwards.
	args, reset []string
	// seen finds when the cause could be seen first.
	seen sight
}

// TestFailures runs init on one machine again and again, each time with another reason not to work. In between reset makes it new.
// At the end nothing is wrong, and init does its work.
func TestFailures(t *testing.T) {
	bed.Need(t)
	lab := bed.NewLab(t)
	m := lab.Machine(t, bed.Spec{Name: "cp1"})
	// Certificates of another cluster, and keys that are none.
	m.WriteFile(t, configPath, bed.InitConfig(m), 0o600)
	m.MustRun(t, "kubewright", "init", "phase", "certs", "all", "--root", "/root/other", "--config", configPath)
	m.WriteFile(t, "/root/other/etc/kubernetes/pki/bad.key", "not a key\n", 0o600)
	for _, f := range failures(m) {
		if !t.Run(f.name, func(t *testing.T) { f.run(t, m) }) {
			run(m, "kubewright", "reset", "-f") // the next one has a new machine all the same
		}
	}
	m.WriteFile(t, configPath, bed.InitConfig(m, bed.WithEndpoint(m.IP()+":6443")), 0o600)
	r := run(m, "kubewright", "init", "--config", configPath, "--upload-certs")
	if r.code != 0 {
		t.Fatalf("with nothing wrong: exit code %d\n%s%s", r.code, r.out, r.err)
	}
	ready(t, m)
	_, join := bed.ReadJoin(r.out)
	t.Run("worker's kubelet", func(t *testing.T) { failingWorker(t, lab, m) })
	t.Run("second control plane", func(t *testing.T) { failingControlPlane(t, lab, m, join) })
}

func (f failure) run(t *testing.T, m *bed.Machine) {
	forget(t, m)
	text := bed.InitConfig(m)
	if f.edit != nil {
		text = f.edit(text)
	}
	text = strings.Replace(text, "kind: ClusterConfiguration\n", "kind: ClusterConfiguration\n"+f.extra, 1)
	for name, patch := range f.patches {
		m.WriteFile(t, "/root/patches/"+name, patch, 0o644)
	}
	if f.patches != nil {
		text = strings.Replace(text, "nodeRegistration:", "patches: {directory: /root/patches}\nnodeRegistration:", 1)
	}
	m.WriteFile(t, configPath, text, 0o600)
	if f.prepare != nil {
		defer f.prepare(t)()
	}
	began := time.Now()
	r := run(m, append([]string{"kubewright", "init", "--config", configPath, "--ignore-preflight-errors", "all"}, f.args...)...)
	ended := time.Now()
	f.check(t, m, r, began, ended)
	if r := run(m, append([]string{"kubewright", "reset", "-f"}, f.reset...)...); r.code != 0 {
		t.Errorf("reset: exit code %d\n%s%s", r.code, r.out, r.err)
	}
}

// check judges the error and how soon it came.
func (f failure) check(t *testing.T, m *bed.Machine, r result, began, ended time.Time) {
	t.Helper()
	if r.code != cause.Incomplete.Exit() {
		t.Fatalf("exit code %d\n%s%s", r.code, r.out, r.err)
	}
	_, said, _ := strings.Cut(r.err, "\nerror: ")
	for _, want := range []string{f.cause, f.line, f.hint, "run the same command again"} {
		if !strings.Contains(said, want) {
			t.Errorf("no %q in:\n%s", want, said)
		}
	}
	lines := strings.Split(strings.TrimSpace(said), "\n")
	telling := slices.DeleteFunc(slices.Clone(lines), func(line string) bool { return !strings.Contains(line, f.line) })
	if n := len(telling); n > 1 {
		t.Errorf("%d times %q in:\n%s", n, f.line, said)
	}
	if len(lines) > 8 {
		t.Errorf("%d lines:\n%s", len(lines), said)
	}
	seen := f.seen(t, m, began)
	if seen.Before(began) || seen.After(ended) {
		t.Fatalf("the cause was seen at %s, and init ran from %s to %s", seen, began, ended)
	}
	late := ended.Sub(seen).Round(10 * time.Millisecond)
	t.Logf("%s after it began, %s after the cause could be seen:\n%s", ended.Sub(began).Round(10*time.Millisecond), late, said)
	if late > max(causeWithin, f.within) {
		t.Errorf("init ended %s after the cause could be seen", late)
	}
}

// forget removes what earlier runs have logged, and the patches.
func forget(t *testing.T, m *bed.Machine) {
	t.Helper()
	m.MustRun(t, "sh", "-c", "rm -rf /root/patches /var/log/pods/*; journalctl --quiet --rotate; journalctl --quiet --vacuum-time=1s")
}

// failingWorker joins a machine whose kubelet has a flag that there is not.
func failingWorker(t *testing.T, lab *bed.TestLab, cp *bed.Machine) {
	w := lab.Machine(t, bed.Spec{Name: "w1"})
	w.WriteFile(t, "/etc/default/kubelet", "KUBELET_EXTRA_ARGS=--no-such-flag\n", 0o644)
	began := time.Now()
	r := run(w, append([]string{"kubewright", "join"}, joinArgs(t, cp)...)...)
	f := failure{cause: "the kubelet ended (exit-code, status 1): it does not know a flag", line: "unknown flag: --no-such-flag",
		hint: "/etc/default/kubelet",
		seen: inJournal("unknown flag")}
	f.check(t, w, r, began, time.Now())
}

// failingControlPlane joins a machine as a control plane that will never work, for one reason after the other; and then for none.
func failingControlPlane(t *testing.T, lab *bed.TestLab, cp *bed.Machine, join []string) {
	m := lab.Machine(t, bed.Spec{Name: "cp2"})
	join = append([]string{"kubewright", "join", "--ignore-preflight-errors", "all", "--patches", "/root/patches"}, join...)
	for _, f := range joinFailures(m) {
		t.Run(f.name, func(t *testing.T) {
			forget(t, m)
			m.MustRun(t, "mkdir", "-p", "/root/patches")
			for name, patch := range f.patches {
				m.WriteFile(t, "/root/patches/"+name, patch, 0o644)
			}
			if f.prepare != nil {
				defer f.prepare(t)()
			}
			began := time.Now()
			r := run(m, join...)
			f.check(t, m, r, began, time.Now())
			m.MustRun(t, "kubewright", "reset", "-f")
			voters(t, cp, 1)
		})
	}
	forget(t, m)
	m.MustRun(t, "mkdir", "-p", "/root/patches")
	if r := run(m, join...); r.code != 0 {
		t.Fatalf("with nothing wrong: exit code %d\n%s%s", r.code, r.out, r.err)
	}
	voters(t, cp, 2)
}

// sight is when a cause could be seen in a run that began then.
type sight func(t *testing.T, m *bed.Machine, began time.Time) time.Time

// inJournal is when the kubelet first wrote what the pattern says.
func inJournal(pattern string) sight {
	return func(t *testing.T, m *bed.Machine, began time.Time) time.Time {
		t.Helper()
		for line := range strings.Lines(m.MustRun(t, "journalctl", "-u", "kubelet", "-o", "short-iso-precise", "--no-pager",
			"--quiet")) {
			if !regexp.MustCompile(pattern).MatchString(line) {
				continue
			}
			stamp, _, _ := strings.Cut(line, " ")
			at, err := time.Parse("2006-01-02T15:04:05.000000-0700", stamp)
			if err != nil {
				t.Fatal(err)
			}
			if !at.Before(began) { // the case before this one may have ended right now, in the same way
				return at
			}
		}
		t.Fatalf("nothing like %s in the kubelet's journal", pattern)
		return time.Time{}
	}
}

// inLog is when a component first logged what the pattern says.
func inLog(component, pattern string) sight {
	return func(t *testing.T, m *bed.Machine, _ time.Time) time.Time {
		t.Helper()
		var first time.Time
		for line := range strings.Lines(m.MustRun(t, "sh", "-c", "cat /var/log/pods/kube-system_"+component+"-*/*/*.log")) {
			stamp, text, _ := strings.Cut(line, " ")
			if !regexp.MustCompile(pattern).MatchString(text) {
				continue
			}
			at, err := time.Parse(time.RFC3339Nano, stamp)
			if err != nil {
				t.Fatal(err)
			}
			if first.IsZero() || at.Before(first) {
				first = at
			}
		}
		if first.IsZero() {
			t.Fatalf("nothing like %s in the log of %s", pattern, component)
		}
		return first
	}
}

// byRuntime is when the runtime first had a container of a component that ended for a reason.
func byRuntime(component, reason string) sight {
	return func(t *testing.T, m *bed.Machine, _ time.Time) time.Time {
		t.Helper()
		var first time.Time
		for _, c := range containersOf(t, m) {
			if c.FinishedAt == 0 { // the next one runs, and has run out of memory just now
				continue
			}
			if at := time.Unix(0, c.FinishedAt); c.Name == component && c.Reason == reason && (first.IsZero() ||
				at.Before(first)) {
				first = at
			}
		}
		if first.IsZero() {
			t.Fatalf("no container of %s has ended as %s", component, reason)
		}
		return first
	}
}

package cmd

import (
	"bufio"
	"bytes"
	"cmp"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite golden files")

// theirSurface holds what the help of real kubeadm says, recorded by TestSurfaceOfKubeadm -update.
const theirSurface = "testdata/kubeadm-surface.txt"

// standsFor is the version of kubeadm whose place we take.
const standsFor = "v1.37.2"

// differences lists what our help does not say as kubeadm's does, and why. Path is a command, which stands for those below it, too;
// without Flag all of it may be missing.
var differences = []struct{ path, flag, why string }{
	{"upgrade", "", "upgrading is a later piece of work"},
	{"config images", "kubernetes-version", "no network is asked for a version that nobody wished for; docs/differences.md"},
	{"init", "kubernetes-version", "no network is asked for a version that nobody wished for; docs/differences.md"},
	{"reset", "cert-dir", "the cluster's own directory is used where none is given; kubeadm's default leaves the keys of another one on disk"},
}

// surplus are commands that our help names although kubeadm's does not, and why.
var surplus = map[string]string{"init phase etcd all": "every phase with parts has it"}

// TestSurface: our help names every command, alias, flag, shorthand and default that kubeadm's names. Called kubeadm, it names no
// other command.
func TestSurface(t *testing.T) {
	want := readSurface(t)
	for _, program := range []Program{Kubewright, Kubeadm} {
		got := walkHelp(t, func(path []string) string { return helpOf(t, program, path) })
		used := map[int]bool{}
		for _, path := range sortedKeys(want) {
			for _, m := range missing(path, want[path], got[path]) {
				if i := excused(path, m.flag); i >= 0 {
					used[i] = true
					continue
				}
				t.Errorf("%s %s: %s", program, path, m.what)
			}
		}
		for i, d := range differences {
			if !used[i] {
				t.Errorf("%s: there is no difference any more at %q %s: delete its row", program, d.path, d.flag)
			}
		}
		for _, path := range sortedKeys(got) {
			if _, ok := surplus[path]; program == Kubeadm && want[path] == nil && !ok {
				t.Errorf("kubeadm has no command %q, but the help names it", path)
			}
		}
	}
}

// missed is one thing that is missing or different; flag is empty for the command itself.
type missed struct{ flag, what string }

func missing(path string, want, got *surfaceOf) []missed {
	if got == nil {
		return []missed{{"", "the command is missing"}}
	}
	var list []missed
	if !strings.HasPrefix(got.args, want.args) { // it may take more
		list = append(list, missed{"", fmt.Sprintf("its arguments are %q, not %q", got.args, want.args)})
	}
	for _, alias := range want.aliases {
		if !slices.Contains(got.aliases, alias) {
			list = append(list, missed{"", "it has no alias " + alias})
		}
	}
	for _, name := range sortedKeys(want.flags) {
		switch have, ok := got.flags[name]; {
		case !ok:
			list = append(list, missed{name, fmt.Sprintf("--%s %s is missing", name, want.flags[name])})
		case have != want.flags[name]:
			list = append(list, missed{name, fmt.Sprintf("--%s is %q, not %q", name, have, want.flags[name])})
		}
	}
	return list
}

// excused finds the row of differences that explains one.
func excused(path, flag string) int {
	return slices.IndexFunc(differences, func(d struct{ path, flag, why string }) bool {
		return (path == d.path || strings.HasPrefix(path, d.path+" ")) && (d.flag == "" || d.flag == flag)
	})
}

func helpOf(t *testing.T, program Program, path []string) string {
	t.Helper()
	var out, errs bytes.Buffer
	if code := Run(t.Context(), Env{Program: program, Stdout: &out, Stderr: &errs}, append(slices.Clone(path), "--help")); code != 0 {
		t.Fatalf("%s %s --help: exit code %d, %s", program, strings.Join(path, " "), code, &errs)
	}
	return out.String()
}

// TestSurfaceOfKubeadm: the recorded surface is that of real kubeadm, where there is one.
func TestSurfaceOfKubeadm(t *testing.T) {
	t.Parallel()
	kubeadm := realKubeadm(t)
	got := walkHelp(t, func(path []string) string {
		out, err := exec.Command(kubeadm, append(slices.Clone(path), "--help")...).Output()
		if err != nil {
			t.Fatalf("%s: %v", strings.Join(path, " "), err)
		}
		return string(out)
	}).String()
	if *update {
		if err := os.WriteFile(theirSurface, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want := readSurface(t).String(); got != want {
		t.Errorf("kubeadm's help says something else than %s; rewrite it with -update", theirSurface)
	}
}

// realKubeadm finds the binary in the cache of the test bed, and skips the test where there is none.
func realKubeadm(t *testing.T) string {
	t.Helper()
	found, _ := filepath.Glob(filepath.Join(cmp.Or(os.Getenv("KUBEWRIGHT_CACHE"), "/var/cache/kubewright"), "tools-*/usr/bin/kubeadm"))
	for _, path := range found {
		if out, err := exec.Command(path, "version", "-o", "short").Output(); err == nil && strings.TrimSpace(string(out)) == standsFor {
			return path
		}
	}
	t.Skip("there is no kubeadm " + standsFor + " in the cache of the test bed")
	return ""
}

var commandWord = regexp.MustCompile(`^[a-z][a-z.-]*$`)

// readSurface reads what String has written.
func readSurface(t *testing.T) surface {
	t.Helper()
	f, err := os.Open(theirSurface)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	read := surface{}
	var of *surfaceOf
	for lines := bufio.NewScanner(f); lines.Scan(); {
		line := lines.Text()
		if usage, ok := strings.CutPrefix(line, "kubeadm"); ok {
			words := strings.Fields(usage)
			args := slices.IndexFunc(words, func(w string) bool { return !commandWord.MatchString(w) })
			if args < 0 {
				args = len(words)
			}
			of = &surfaceOf{args: strings.Join(words[args:], " "), flags: map[string]string{}}
			read[strings.Join(words[:args], " ")] = of
			continue
		}
		if alias, ok := strings.CutPrefix(line, "  alias "); ok {
			of.aliases = append(of.aliases, alias)
			continue
		}
		name, kind, _ := strings.Cut(strings.TrimPrefix(line, "  --"), " ")
		of.flags[name] = kind
	}
	return read
}

// TestHiddenFlags: flags that kubeadm understands and does not show are understood here, too, and are really kubeadm's.
func TestHiddenFlags(t *testing.T) {
	for _, args := range [][]string{
		{"init", "phase", "control-plane", "all", "--apiserver-extra-args", "v=4", "--controller-manager-extra-args=v=4,a=b", "--scheduler-extra-args", "v=4"},
		{"init", "phase", "control-plane", "apiserver", "--apiserver-extra-args", "v=4"},
		{"init", "phase", "control-plane", "controller-manager", "--controller-manager-extra-args", "v=4"},
		{"init", "phase", "control-plane", "scheduler", "--scheduler-extra-args", "v=4"},
	} {
		for _, program := range []Program{Kubewright, Kubeadm} {
			if text := helpOf(t, program, args); strings.Contains(text, "extra-args") {
				t.Errorf("%s %s: its help shows hidden flags", program, strings.Join(args, " "))
			}
		}
		t.Run(args[3], func(t *testing.T) {
			out, err := exec.Command(realKubeadm(t), append(slices.Clone(args), "--help")...).CombinedOutput()
			if err != nil {
				t.Errorf("%v: kubeadm does not know these flags: %s", err, out)
			}
		})
	}
}

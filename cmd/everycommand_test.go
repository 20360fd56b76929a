package cmd

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/kubewright/kubewright/cause"
)

// runAlone runs a command line where there is no machine: it must not get that far.
func runAlone(t *testing.T, program Program, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = Run(t.Context(), Env{Program: program, Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs}, args)
	return code, out.String(), errs.String()
}

// contented are the commands that group others and show their help without an error when they are called alone, as kubeadm's.
var contented = []string{"", "alpha", "kubeconfig"}

// TestEveryCommand: what is wrong with a command line is told by every command in the same way, before it looks at the machine;
// commands that only group others show their help.
func TestEveryCommand(t *testing.T) {
	for program, usage := range map[Program]int{Kubewright: cause.Usage.Exit(), Kubeadm: 1} {
		all := walkHelp(t, func(path []string) string { return helpOf(t, program, path) })
		for path, of := range all {
			words := strings.Fields(path)
			call := func(more ...string) (int, string, string) {
				return runAlone(t, program, append(slices.Clone(words), more...)...)
			}
			code, stdout, stderr := call("--no-such-flag")
			if code != usage || stderr != "error: unknown flag: --no-such-flag\n" || stdout != "" {
				t.Errorf("%s %s --no-such-flag: exit code %d\n%s%s", program, path, code, stdout, stderr)
			}
			if groups(all, path) {
				want := usage
				if slices.Contains(contented, path) {
					want = 0
				}
				if code, stdout, stderr := call(); code != want || stdout != helpOf(t, program, words) || (want == 0) != (stderr == "") {
					t.Errorf("%s %s: exit code %d, want %d, and its help\n%s%s", program, path, code, want, stdout, stderr)
				}
			}
			if of.args != "" || path == "help" || path == "alpha" {
				continue
			}
			if code, stdout, stderr := call("surplus"); code != usage || stdout != "" || !strings.HasPrefix(stderr, "error: ") {
				t.Errorf("%s %s surplus: exit code %d\n%s%s", program, path, code, stdout, stderr)
			}
		}
	}
}

// groups says that a command does nothing itself: init, join and reset do, beside their phases.
func groups(all surface, path string) bool {
	if slices.Contains([]string{"init", "join", "reset"}, path) {
		return false
	}
	if path == "" || path == "alpha" {
		return true
	}
	for other := range all {
		if strings.HasPrefix(other, path+" ") {
			return true
		}
	}
	return false
}

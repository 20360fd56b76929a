package cmd

import (
	"bytes"
	"testing"

	"github.com/kubewright/kubewright/preflight"
)

// Findings print in kubeadm's form; one that is ignored is a warning.
func TestPreflightFindings(t *testing.T) {
	var out bytes.Buffer
	r := newReporter(&Env{Stdout: &out, Stderr: &out}, runFlags{output: "text"})
	r.preflight(&preflight.Report{
		Warnings: []preflight.Finding{{Check: "Firewalld", Message: "it is active", Warning: true}},
		Ignored:  []preflight.Finding{{Check: "Swap", Message: "swap is on"}},
		Errors:   []preflight.Finding{{Check: "NumCPU", Message: "one"}},
	}, true)
	want := "warning: [WARNING Firewalld]: it is active\nwarning: [WARNING Swap]: swap is on (ignored)\n" +
		"warning: a real run would stop here: [ERROR NumCPU]: one\n"
	if out.String() != want {
		t.Errorf("got:\n%swant:\n%s", out.String(), want)
	}
}

// Package layout checks the shape of the tree: which package may import which, and how long a file may be.
package layout

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/kubewright/kubewright/"

// below lists, for each package, what of ours it may import. Arrows point down only.
var below = map[string][]string{
	"cause":               {},
	"config":              {},
	"templates":           {"config"},
	"manifests":           {"config", "templates"},
	"pki":                 {"config"},
	"host":                {},
	"systemd":             {},
	"timeline":            {},
	"etcd":                {"cause", "config"},
	"cluster":             {"config", "host"},
	"cluster/discovery":   {"cause", "cluster", "config"},
	"preflight":           {"cause", "config", "host", "systemd", "etcd"},
	"plan":                {"host", "systemd"},
	"phases":              {"cause", "cluster", "config", "etcd", "host", "host/network", "manifests", "pki", "plan", "preflight", "templates"},
	"cmd":                 {"cause", "cluster", "cluster/discovery", "cmd/startup", "config", "etcd", "host", "host/network", "manifests", "phases", "pki", "plan", "preflight", "systemd", "templates", "timeline"},
	"cmd/kubewright":      {"cmd"},
	"cmd/startup":         {},
	"etcd/etcdtest":       {},
	"host/faults":         {}, // and cmd imports it nowhere but in a program for tests, with a build tag that this test does not set
	"host/hosttest":       {"host"},
	"host/network":        {},
	"systemd/systemdtest": {"systemd", "host"},
	"plan/plantest":       {},
}

// pure packages compute and nothing else: they may not import what reaches the machine or the network.
var pure = []string{"config", "templates", "manifests", "pki", "timeline"}

var impure = []string{"os", "os/exec", "net/http", "syscall", "golang.org/x/sys/unix", "k8s.io/client-go/kubernetes"}

type pkg struct {
	ImportPath string
	Imports    []string
}

func packages(t *testing.T) map[string]pkg {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", module+"...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	found := map[string]pkg{}
	dec := json.NewDecoder(bytes.NewReader(out))
	for {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return found
		} else if err != nil {
			t.Fatal(err)
		}
		found[strings.TrimPrefix(p.ImportPath, module)] = p
	}
}

func TestImportsPointDown(t *testing.T) {
	for name, p := range packages(t) {
		if strings.HasPrefix(name, "test/") {
			continue
		}
		allowed, known := below[name]
		if !known {
			t.Errorf("package %s is not in the table of this test: say what it may import", name)
			continue
		}
		for _, imp := range p.Imports {
			if ours, ok := strings.CutPrefix(imp, module); ok && !slices.Contains(allowed, ours) {
				t.Errorf("package %s imports %s, which is not below it", name, ours)
			}
			if strings.HasPrefix(imp, "k8s.io/kubernetes") {
				t.Errorf("package %s imports %s: the product never imports Kubernetes itself", name, imp)
			}
			if slices.Contains(pure, name) && slices.Contains(impure, imp) {
				t.Errorf("package %s is pure, but imports %s", name, imp)
			}
		}
	}
}

func TestTableHasNoGhosts(t *testing.T) {
	found := packages(t)
	for name := range below {
		if _, ok := found[name]; !ok {
			t.Errorf("the table names package %s, which is not there", name)
		}
	}
}

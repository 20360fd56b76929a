package e2e

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubewright/kubewright/test/bed"
)

// state is what a command begins with, and what it has to come to, however often it was killed.
type state struct {
	before bed.Inventory
	// tree are the files after an uninterrupted run, and objects what is in the cluster then; empty before it.
	tree    map[string]string
	objects []string
}

// movingFiles are not the same after two runs: the kubelet and etcd write them, and journals.
var movingFiles = regexp.MustCompile(`^/(proc|run|tmp|dev|sys|root)(/|$)|^/var/(log|tmp|lib/containerd|lib/systemd|lib/cni)(/|$)` +
	`|^/var/lib/kubelet/(pods|plugins|checkpoints|device-plugins|pod-resources|.*_state$|pki/kubelet-client-2)` +
	`|^/var/lib/etcd/member/|^/var/lib/etcd\.reset-|^/var/lib/kubewright/`)

// temporary are the names that package host writes under.
var temporary = regexp.MustCompile(`/\.[^/]+\.[0-9a-f]{16}\.tmp$`)

// tree are the files of an inventory that should always be the same, with their modes and owners, and the kubelet's unit.
func tree(inv bed.Inventory) map[string]string {
	files := map[string]string{}
	for item, properties := range inv {
		switch item.Kind {
		case "file", "dir", "symlink":
			if !movingFiles.MatchString(item.Name) {
				words := slices.DeleteFunc(strings.Fields(properties), func(w string) bool {
					return strings.HasPrefix(w, "size=") || strings.HasPrefix(w, "content=") || strings.Contains(w, "kubelet-client-2")
				})
				files[item.Name] = item.Kind + " " + strings.Join(words, " ")
			}
		case "unit", "unit-file":
			if strings.HasPrefix(item.Name, "kubelet.service") {
				files[item.Kind+" "+item.Name] = properties
			}
		}
	}
	return files
}

// sameTree expects the files of an uninterrupted run, and nothing half-written anywhere.
func (s *state) sameTree(t *testing.T, m *bed.Machine) {
	t.Helper()
	var diff string
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(500 * time.Millisecond) { // the kubelet makes some a moment later
		inv := m.Inventory(t)
		for item := range inv {
			if temporary.MatchString(item.Name) {
				t.Errorf("half-written: %s", item.Name)
			}
		}
		now := tree(inv)
		if s.tree == nil {
			s.tree = now
		}
		if diff = cmp.Diff(s.tree, now); diff == "" || time.Now().After(deadline) {
			break
		}
	}
	if diff != "" {
		t.Errorf("the files are not those of an uninterrupted run:\n%s", diff)
	}
}

// sameObjects expects the objects of an uninterrupted run in the cluster.
func (s *state) sameObjects(t *testing.T, m *bed.Machine) {
	t.Helper()
	if s.objects == nil { // controllers make some a moment later
		ready(t, m)
		s.objects = objectsOf(t, m)
		return
	}
	eventually(t, 30*time.Second, func() string { return cmp.Diff(s.objects, objectsOf(t, m)) })
}

// varying are the parts of names that are made up, or count.
var varying = regexp.MustCompile(`(bootstrap-token-)[a-z0-9]{6}`)

// objectsOf lists what init makes in a cluster, one line for each object.
func objectsOf(t *testing.T, m *bed.Machine) []string {
	t.Helper()
	ctx, cancel := quick()
	defer cancel()
	const kinds = "nodes,configmaps,secrets,deployments,daemonsets,services,roles,rolebindings,clusterroles,clusterrolebindings"
	const columns = "custom-columns=K:.kind,S:.metadata.namespace,N:.metadata.name"
	out, err := m.KubectlCommand(ctx, "get", kinds, "-A", "--no-headers", "-o", columns).CombinedOutput()
	if err != nil {
		return []string{string(out)}
	}
	lines := strings.Split(varying.ReplaceAllString(strings.TrimSpace(string(out)), "$1*"), "\n")
	for i, l := range lines {
		lines[i] = strings.Join(strings.Fields(l), " ")
	}
	slices.Sort(lines)
	return lines
}

// content is what is in the files of a machine that nothing may change any more, by path.
type content map[string]string

// contents reads the keys, certificates and credentials of a machine. What is half-written is not there.
func contents(t *testing.T, m *bed.Machine) content {
	t.Helper()
	all := content{}
	root := m.Path("/")
	for _, top := range []string{"/etc/kubernetes", "/var/lib/kubelet/pki"} {
		err := filepath.WalkDir(m.Path(top), func(path string, d fs.DirEntry, err error) error {
			if os.IsNotExist(err) || err == nil && (d.IsDir() || temporary.MatchString(path)) {
				return nil
			}
			if err != nil {
				return err
			}
			data, err := os.ReadFile(path)
			if os.IsNotExist(err) {
				return nil
			}
			all[strings.TrimPrefix(path, root)] = string(data)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// same expects that what is still there is the same.
func (c content) same(t *testing.T, m *bed.Machine) {
	t.Helper()
	now := contents(t, m)
	for path, was := range c {
		if is, there := now[path]; there && is != was {
			t.Errorf("%s was there when the run was killed, and is another one now", path)
		}
	}
}

// untouched is what a dry run of the command says in the end.
func untouched(t *testing.T, m *bed.Machine, command []string) {
	t.Helper()
	nothingToDo(t, m, append([]string{"kubewright"}, command...)...)
}

// registered expects that these are the nodes of the cluster, and no others.
func registered(t *testing.T, cp *bed.Machine, want ...string) {
	t.Helper()
	eventually(t, 30*time.Second, func() string {
		out, ok := kubectl(cp, "get", "nodes", "-o", `jsonpath={range .items[*]}{.metadata.name} {end}`)
		have := strings.Fields(out)
		slices.Sort(have)
		if !ok || !slices.Equal(have, want) {
			return fmt.Sprintf("nodes %v, want %v", have, want)
		}
		return ""
	})
}

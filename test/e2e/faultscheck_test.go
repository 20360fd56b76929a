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

// rotated is the time in the name of the certificate that the kubelet has got.
var rotated = regexp.MustCompile(`\d{4}-\d\d-\d\d-\d\d-\d\d-\d\d`)

// tree are the files of a machine that should always be the same, with their kinds, modes, owners and targets, and the kubelet's unit. It
// is much faster than an inventory, which reads all of them.
func tree(t *testing.T, m *bed.Machine) map[string]string {
	t.Helper()
	// The kubelet's directory is a mount of its own. A file that goes while it is looked at is no mistake.
	const list = `find / /var/lib/kubelet -xdev -printf '%p\t%y %m %U:%G %l\n' || true`
	out := m.MustRun(t, "sh", "-c", list)
	files := map[string]string{}
	for line := range strings.Lines(out) {
		path, properties, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		if temporary.MatchString(path) {
			t.Errorf("half-written: %s", path)
		}
		if !movingFiles.MatchString(path) {
			files[path] = rotated.ReplaceAllString(properties, "")
		}
	}
	files["kubelet.service"] = m.MustRun(t, "systemctl", "show", "kubelet", "-p", "ActiveState,UnitFileState,FragmentPath,DropInPaths")
	return files
}

// sameTree expects the files of an uninterrupted run, and nothing half-written anywhere.
func (s *state) sameTree(t *testing.T, m *bed.Machine) {
	t.Helper()
	if s.tree == nil {
		s.tree = tree(t, m)
		return
	}
	eventually(t, 20*time.Second, func() string { // the kubelet makes some a moment later
		if diff := cmp.Diff(s.tree, tree(t, m)); diff != "" {
			return "the files are not those of an uninterrupted run:\n" + diff
		}
		return ""
	})
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

package cmd

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"

	gocmp "github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// crashCase is a command that is killed wherever it can be.
type crashCase struct {
	name string
	// before makes a machine as it is right before the command.
	before func(t *testing.T) *victim
	// picks says at which boundaries it is killed; nil is at each one.
	picks func(boundary string, before []string) bool
	// chain is how often one machine's command is killed before it may come to its end; 0 means once.
	chain int
	// backs says that after every so manieth kill the work is taken back instead, by rollback and by reset in turn. 0 is never.
	backs int
	// node says that the command works on a node and makes keys anew: no key is to be kept, and no reset takes back the command alone.
	node bool
}

// victim is a machine with the command that is killed on it.
type victim struct {
	m    *fakeMachine
	args []string
	// check looks at what is no file once the command has come to its end; nil is nothing.
	check func(t *testing.T)
	// once says that the command again would do something else.
	once bool
}

// tally is a line of the table.
type tally struct {
	mu                                            sync.Mutex
	name                                          string
	boundaries, tried, resumed, rolledBack, reset int
}

func (y *tally) count(t *testing.T, which *int, n int) {
	if !t.Failed() {
		y.mu.Lock()
		*which += n
		y.mu.Unlock()
	}
}

// TestCrashMatrix kills each command at its boundaries, all or a choice that has every step, and runs it again: it comes to the
// end that it comes to when nobody kills it, makes no key twice, leaves nothing half-written, and has nothing to do after that.
// Or it is taken back, and the machine is as it was before. -v shows a table.
func TestCrashMatrix(t *testing.T) {
	t.Parallel()
	var table []*tally
	t.Run("kill", func(t *testing.T) {
		for _, c := range crashCases() {
			y := &tally{name: c.name}
			table = append(table, y)
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				c.run(t, y)
			})
		}
	})
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "command\tboundaries\tpoints tried\tresumed\trolled back\treset\t")
	sum := &tally{name: "all"}
	for _, y := range append(table, sum) {
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%d\t\n", y.name, y.boundaries, y.tried, y.resumed, y.rolledBack, y.reset)
		sum.boundaries, sum.tried = sum.boundaries+y.boundaries, sum.tried+y.tried
		sum.resumed, sum.rolledBack = sum.resumed+y.resumed, sum.rolledBack+y.rolledBack
		sum.reset += y.reset
	}
	w.Flush()
	t.Logf("\n%s", text.String())
}

// run finds out where the command can be killed, and does so.
func (c crashCase) run(t *testing.T, y *tally) {
	v := c.before(t)
	r := &reaper{}
	if code, stderr := v.m.reap(r, v.args...); code != 0 {
		t.Fatalf("exit code %d\n%s", code, stderr)
	}
	want := v.m.normal()
	v.ends(t, want, true)
	var points []string
	all := r.boundaries()
	y.boundaries = len(all)
	for i, boundary := range all {
		if c.picks == nil || c.picks(boundary, all[:i]) {
			points = append(points, boundary)
		}
	}
	if len(points) < 5 {
		t.Errorf("there are only %d points", len(points))
	}
	chain := cmp.Or(c.chain, 1)
	chains := (len(points) + chain - 1) / chain
	for first := range chains {
		var kills []string // far from each other
		for at := first; at < len(points); at += chains {
			kills = append(kills, points[at])
		}
		t.Run(fmt.Sprint("resume ", first), func(t *testing.T) {
			t.Parallel()
			c.resume(t, y, want, kills, first%5 == 0)
		})
	}
	for at := 0; c.backs > 0 && at < len(points); at += c.backs {
		by, done := "rollback", &y.rolledBack
		if at/c.backs%2 == 1 && !c.node {
			by, done = "reset", &y.reset
		}
		t.Run(fmt.Sprint(by, " ", at), func(t *testing.T) {
			t.Parallel()
			c.back(t, y, points[at], by, done)
		})
	}
}

func (c crashCase) resume(t *testing.T, y *tally, want map[string]string, kills []string, again bool) {
	v := c.before(t)
	y.count(t, &y.tried, len(kills))
	secrets := map[string]string{}
	for _, at := range kills {
		v.kill(t, at)
		if !c.node {
			secrets = v.m.sameSecrets(t, secrets)
		}
	}
	t.Logf("killed at %s", strings.Join(kills, ", then at "))
	if code, stderr := v.m.reap(&reaper{}, v.args...); code != 0 {
		t.Fatalf("it is not resumed: exit code %d\n%s", code, stderr)
	}
	v.m.sameSecrets(t, secrets)
	if got := v.m.normal(); !maps.Equal(want, got) {
		t.Errorf("machine and cluster are not as without a kill (-want +got):\n%s", gocmp.Diff(want, got))
	}
	v.ends(t, want, again)
	y.count(t, &y.resumed, len(kills))
}

func (c crashCase) back(t *testing.T, y *tally, at, by string, done *int) {
	v := c.before(t)
	before := v.m.tree()
	y.count(t, &y.tried, 1)
	v.kill(t, at)
	t.Logf("killed at %s", at)
	if code, _, stderr := v.m.run(by, "--force", "--wipe-etcd"); code != 0 {
		t.Fatalf("%s: exit code %d\n%s", by, code, stderr)
	}
	v.m.same(before)
	v.m.wholeFiles(t)
	y.count(t, done, 1)
}

// kill runs the command, which comes no further than to a boundary.
func (v *victim) kill(t *testing.T, at string) {
	t.Helper()
	r := &reaper{at: at}
	if code, stderr := v.m.reap(r, v.args...); !r.killed() {
		t.Fatalf("it was not killed at %s: exit code %d\n%s", at, code, stderr)
	}
	v.m.settle()
}

// ends makes sure that a command which came to its end has done all, once. Where machine and cluster are the same, it has
// nothing to do again, either; so that is tried now and then.
func (v *victim) ends(t *testing.T, want map[string]string, again bool) {
	t.Helper()
	v.m.settle()
	v.m.wholeFiles(t)
	if v.check != nil {
		v.check(t)
	}
	if v.once || !again {
		return
	}
	if code, _, stderr := v.m.run(v.args...); code != 0 || !strings.Contains(stderr, "Nothing to do") {
		t.Errorf("one more run: exit code %d\n%s", code, stderr)
	}
	if got := v.m.normal(); !maps.Equal(want, got) {
		t.Errorf("one more run has changed something (-before +after):\n%s", gocmp.Diff(want, got))
	}
}

// settle waits until the kubelet that was started has done what it does at once.
func (m *fakeMachine) settle() { m.done.Wait() }

// wholeFiles fails the test when something was left half-written.
func (m *fakeMachine) wholeFiles(t *testing.T) {
	t.Helper()
	m.walk(func(path string, _ fs.DirEntry) {
		if name := filepath.Base(path); strings.HasPrefix(name, ".") && strings.HasSuffix(name, ".tmp") {
			t.Errorf("%s is left", path)
		}
	})
}

// secrets are the keys, certificates and kubeconfigs on the machine, by path.
func (m *fakeMachine) secrets() map[string]string {
	found := map[string]string{}
	m.walk(func(path string, d fs.DirEntry) {
		switch filepath.Ext(path) {
		case ".key", ".crt", ".pub", ".conf", ".pem":
		default:
			return
		}
		if data, err := os.ReadFile(path); err == nil && d.Type().IsRegular() && !strings.HasPrefix(filepath.Base(path), ".") {
			found[path] = string(data)
		}
	})
	return found
}

// sameSecrets makes sure that none of those that were there before was made again, and returns those of now.
func (m *fakeMachine) sameSecrets(t *testing.T, before map[string]string) (now map[string]string) {
	t.Helper()
	now = m.secrets()
	for path, was := range before {
		if is, there := now[path]; there && is != was {
			t.Errorf("%s was made again", path)
		}
	}
	return now
}

func (m *fakeMachine) walk(visit func(path string, d fs.DirEntry)) {
	m.t.Helper()
	err := filepath.WalkDir(m.host.Root, func(path string, d fs.DirEntry, err error) error {
		if err == nil {
			visit(path, d)
		}
		return err
	})
	if err != nil {
		m.t.Error(err)
	}
}

// What differs from one run to the next.
var (
	pemBlock  = regexp.MustCompile(`(?s)-----BEGIN ([A-Z ]+)-----.*?-----END [A-Z ]+-----`)
	longData  = regexp.MustCompile(`eyJ[\w-]+\.\.[\w-]+|[A-Za-z0-9+/=]{100,}|[0-9a-f]{32,}`)
	timeStamp = regexp.MustCompile(`20\d\d-?\d\d-?\d\d[-T]?\d\d-?:?\d\d-?:?\d\d[.\dZ]*`)
	tokenName = regexp.MustCompile(`(bootstrap-token-|jws-kubeconfig-)[a-z0-9]{6}`)
	localPort = regexp.MustCompile(`\b[1-9]\d{4}\b`)
)

// normal is the tree, and what is in the cluster, without what no two runs have alike: keys, times, and the ports of the test.
func (m *fakeMachine) normal() map[string]string {
	m.t.Helper()
	found := map[string]string{}
	for path, text := range m.tree() {
		found[timeStamp.ReplaceAllString(path, "<time>")] = m.neutral(text)
	}
	c := m.cluster
	c.mu.Lock()
	defer c.mu.Unlock()
	for path := range c.objects {
		u := unstructured.Unstructured{Object: c.content(path)}
		for _, own := range []string{"uid", "resourceVersion", "creationTimestamp"} {
			unstructured.RemoveNestedField(u.Object, "metadata", own)
		}
		if strings.Contains(path, "/bootstrap-token-") {
			u.Object = map[string]any{"kind": "Secret"}
		}
		text, err := json.Marshal(u.Object)
		if err != nil {
			m.t.Error(err)
		}
		found["cluster "+tokenName.ReplaceAllString(path, "$1<id>")] = tokenName.ReplaceAllString(m.neutral(string(text)), "$1<id>")
	}
	return found
}

// neutral takes out of a text what differs from one run to the next.
func (m *fakeMachine) neutral(text string) string {
	text = strings.ReplaceAll(text, m.host.Root, "")
	text = pemBlock.ReplaceAllString(text, "<$1>")
	text = longData.ReplaceAllString(text, "<data>")
	text = timeStamp.ReplaceAllString(text, "<time>")
	return localPort.ReplaceAllString(text, "<port>")
}

package e2e

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/kubewright/kubewright/host/faults"
	"github.com/kubewright/kubewright/test/bed"
)

// faultLog is in a folder that inventories leave out.
const faultLog = "/run/.kw/faults.log"

// faultyKubewright is the program that can be killed; what it leaves is carried on by the one that is shipped.
const faultyKubewright = "kubewright-faults"

// matrix kills one command at many points.
type matrix struct {
	name string
	// machine makes a machine that the command can be run on; it is asked again after a point that failed.
	machine func(t *testing.T) *bed.Machine
	// command is what is run on it, after "kubewright".
	command func(m *bed.Machine) []string
	// prepare brings a machine to where the command begins, and nil says that it is there; back brings it to where it was before.
	prepare, back func(t *testing.T, m *bed.Machine)
	// done is checked after each run that came to its end.
	done func(t *testing.T, m *bed.Machine, s *state)
	// undone is what is checked after a rollback; nil for a command that has none.
	undone func(t *testing.T, m *bed.Machine)
	// count is how many points to choose at least, and sample the only one for `make test`, without an uninterrupted run before it.
	count  int
	sample string

	m *bed.Machine
	s *state
	// rows is what became of the points.
	rows []row
}

type row struct {
	point, outcome string
	took           time.Duration
}

// chosen says how many points are asked for: all for `make test-faults`, or a number.
func (x *matrix) chosen(t *testing.T) (points int, part string) {
	t.Helper()
	asked := os.Getenv("KUBEWRIGHT_FAULTS")
	if asked == "all" {
		return x.count, os.Getenv("KUBEWRIGHT_FAULTS_PART")
	}
	n, err := strconv.Atoi(asked)
	if err != nil || n < 1 {
		t.Fatalf("KUBEWRIGHT_FAULTS is %q: want all, or a number", asked)
	}
	return n, ""
}

// seed is what the choice of points depends on.
func seed(t *testing.T) uint64 {
	t.Helper()
	n, err := strconv.ParseUint(cmp.Or(os.Getenv("KUBEWRIGHT_FAULTS_SEED"), "1"), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// run does it all: an uninterrupted run, which tells what points there are and what they all have to come to, and then the points.
func (x *matrix) run(t *testing.T) {
	rng := rand.New(rand.NewPCG(seed(t), 0))
	x.fresh(t)
	if os.Getenv("KUBEWRIGHT_FAULTS") == "" {
		p, err := faults.Parse(x.sample)
		if err != nil {
			t.Fatal(err)
		}
		x.try(t, trial{points: []point{{p, "the sample"}}})
		t.Log(x.table())
		return
	}
	count, which := x.chosen(t)
	points := x.uninterrupted(t, rng, count)
	list, all := trials(points), len(points)
	if os.Getenv("KUBEWRIGHT_FAULTS") != "all" { // a number, for a try
		rng.Shuffle(len(list), func(a, b int) { list[a], list[b] = list[b], list[a] })
		list = list[:min(count, len(list))]
	}
	list, err := part(list, which)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s: seed %d, %d points, %d trials with them", x.name, seed(t), all, len(list))
	for i, tr := range list {
		if !t.Run(tr.String(), func(t *testing.T) { x.try(t, tr) }) && i+1 < len(list) {
			// It may be a node and a member still, which must not spoil the next one.
			r := run(x.m, "kubewright", "reset", "-f", "--wipe-etcd", "--force-data-loss")
			t.Logf("reset after a failure: exit code %d\n%s", r.code, r.err)
			x.fresh(t)
		}
	}
	t.Log(x.table())
}

// fresh takes another machine, and its inventory before the command was ever run.
func (x *matrix) fresh(t *testing.T) {
	t.Helper()
	x.m = x.machine(t)
	was := x.s
	x.s = &state{before: x.m.Inventory(t)}
	if was != nil {
		x.s.tree, x.s.objects = was.tree, was.objects
	}
}

// uninterrupted runs the command once from the start to the end, takes the state for what all others have to come to, and chooses.
func (x *matrix) uninterrupted(t *testing.T, rng *rand.Rand, count int) []point {
	t.Helper()
	x.prepare(t, x.m)
	r, ops, killed := x.faulty(t, "", x.command(x.m))
	ended := time.Now()
	if r.code != 0 || killed {
		t.Fatalf("%s without a fault: exit code %d\n%s%s", x.name, r.code, r.out, r.err)
	}
	if err := label(ops, journalOf(t, x.m, x.command(x.m)[0])); err != nil {
		t.Fatal(err)
	}
	x.done(t, x.m, x.s)
	x.back(t, x.m)
	t.Logf("%s: %d operations in %s", x.name, len(ops), ended.Sub(ops[0].at).Round(10*time.Millisecond))
	return moments{again(ops), ended, rng}.choose(count)
}

// journalOf is the newest journal of a command on a machine.
func journalOf(t *testing.T, m *bed.Machine, command string) string {
	t.Helper()
	var all []string
	for _, dir := range []string{"runs", "past"} {
		some, err := filepath.Glob(m.Path("/var/lib/kubewright/" + dir + "/*-" + command + "/journal.jsonl"))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, some...)
	}
	if len(all) == 0 { // it was killed before
		return ""
	}
	newest := slices.MaxFunc(all, func(a, b string) int {
		return strings.Compare(filepath.Base(filepath.Dir(a)), filepath.Base(filepath.Dir(b)))
	})
	data, err := os.ReadFile(newest)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// faulty runs a command until it is killed, or ends, and returns what it has done to files.
func (x *matrix) faulty(t *testing.T, at string, command []string) (result, []operation, bool) {
	t.Helper()
	x.m.Remove(t, faultLog)
	r := run(x.m, append([]string{"env", faults.At + "=" + at, faults.Log + "=" + faultLog, faultyKubewright}, command...)...)
	text, err := os.ReadFile(x.m.Path(faultLog))
	if err != nil {
		t.Fatalf("%v\n%s%s", err, r.out, r.err)
	}
	ops, killed, err := operations(string(text))
	if err != nil {
		t.Fatal(err)
	}
	if !killed && r.code != 0 {
		t.Fatalf("%s until %s failed by itself: exit code %d\n%s%s", x.name, at, r.code, r.out, r.err)
	}
	return r, ops, killed
}

// watch tells what the parts of a point take.
func (x *matrix) watch(t *testing.T) func(what string) {
	last := time.Now()
	return func(what string) {
		t.Logf("%s: %s", what, time.Since(last).Round(10*time.Millisecond))
		last = time.Now()
	}
}

// try kills the command at the points, carries on or goes back, and checks what came of it.
func (x *matrix) try(t *testing.T, tr trial) {
	began, first := time.Now(), len(x.rows)
	outcome := "FAILED"
	defer func() {
		if t.Failed() {
			outcome = "FAILED"
		}
		for i := range x.rows[first:] {
			if r := &x.rows[first+i]; r.outcome == "" {
				r.outcome = outcome
			}
			x.rows[first+i].took = time.Since(began) / time.Duration(len(x.rows)-first)
		}
	}()
	x.prepare(t, x.m)
	lap := x.watch(t)
	alive, made := true, 0
	var said strings.Builder
	defer func() {
		if t.Failed() {
			t.Logf("what the runs said that were killed:\n%s", &said)
		}
	}()
	for i, p := range tr.points {
		at := p.Point
		if i > 0 { // what the first run has done the second has not to do
			at.N = max(1, at.N-made+2)
		}
		x.rows = append(x.rows, row{point: p.String()})
		kept := contents(t, x.m)
		r, ops, killed := x.faulty(t, at.String(), x.command(x.m))
		said.WriteString(r.err)
		kept.same(t, x.m)
		alive = alive && !killed
		made += len(ops)
		last := &x.rows[len(x.rows)-1]
		if last.point += " " + x.where(t, ops, p.After); !killed {
			last.outcome = "was over before"
		}
		t.Logf("meant: %s; killed: %v, %s", p.about, killed, last.point)
	}
	lap("until it was killed")
	if tr.back && !alive && x.undone != nil {
		r := run(x.m, "kubewright", "rollback", "-f", "--wipe-etcd")
		if r.code != 0 {
			t.Fatalf("rollback: exit code %d\n%s%s", r.code, r.out, r.err)
		}
		lap("rolled back")
		givenBack(t, x.m, x.s.before, mayLeave()...)
		x.undone(t, x.m)
		lap("checked")
		outcome = "rolled back"
		return
	}
	kept := contents(t, x.m)
	r := run(x.m, append([]string{"kubewright"}, x.command(x.m)...)...)
	if r.code != 0 {
		t.Fatalf("%s again: exit code %d\n%s%s", x.name, r.code, r.out, r.err)
	}
	lap("resumed")
	kept.same(t, x.m)
	x.done(t, x.m, x.s)
	if t.Failed() {
		t.Logf("what the last run said:\n%s%s", r.out, r.err)
	}
	lap("checked")
	x.back(t, x.m)
	lap("brought back")
	outcome = "resumed"
}

// where says what a run was doing when it was killed. It is not always what the point was chosen for: what is done already need not be
// done again.
func (x *matrix) where(t *testing.T, ops []operation, after time.Duration) string {
	t.Helper()
	if err := label(ops, journalOf(t, x.m, x.command(x.m)[0])); err != nil {
		t.Error(err)
	}
	m := moments{ops: ops}
	if after > 0 {
		return m.during(len(ops) - 1)
	}
	return m.before(len(ops) - 1).about
}

// table is what became of the points.
func (x *matrix) table() string {
	var text strings.Builder
	count := map[string]int{}
	for _, r := range x.rows {
		count[r.outcome]++
		fmt.Fprintf(&text, "\n%-18s %5.1f s  %-16s %s", x.name, r.took.Seconds(), r.outcome, r.point)
	}
	return fmt.Sprintf("%s: %d points tried, %d resumed, %d rolled back, %d were over before, %d failed%s", x.name, len(x.rows),
		count["resumed"], count["rolled back"], count["was over before"], count["FAILED"], text.String())
}

// quick is a context for a question.
func quick() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), 30*time.Second)
}

package e2e

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kubewright/kubewright/host/faults"
)

// operation is one line of the log of a run: what it was about to do to a file.
type operation struct {
	n        int
	at       time.Time
	op, path string
	// phase and step are those that the journal has recorded last.
	phase, step string
	final       bool
}

// operations reads the log of a run, and whether the run was killed.
func operations(text string) (ops []operation, killed bool, err error) {
	for line := range strings.Lines(text) {
		var o operation
		var at string
		f := strings.SplitN(strings.TrimSuffix(line, "\n"), " ", 4)
		if len(f) == 3 && f[2] == "killed" {
			return ops, true, nil
		}
		if len(f) != 4 {
			return nil, false, fmt.Errorf("not a line of the log of a run: %q", line)
		}
		at, o.op, o.path = f[1], f[2], f[3]
		if _, err = fmt.Sscan(f[0], &o.n); err == nil {
			o.at, err = time.Parse(time.RFC3339Nano, at)
		}
		if err != nil {
			return nil, false, err
		}
		ops = append(ops, o)
	}
	return ops, false, nil
}

// label tells each operation by a journal what it was done for: a record is written with its time right before it is appended.
func label(ops []operation, journal string) error {
	type record struct {
		Time        time.Time
		Phase, Step string
		Final       bool
	}
	var records []record
	lines := bufio.NewScanner(strings.NewReader(journal))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var r record
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			continue // it was cut off
		}
		if r.Step != "" && r.Time.After(ops[0].at) { // the journal may be that of an earlier run
			records = append(records, r)
		}
	}
	for i := range ops {
		for _, r := range records {
			if !r.Time.After(ops[i].at) {
				ops[i].phase, ops[i].step, ops[i].final = r.Phase, r.Step, r.Final
			}
		}
	}
	return lines.Err()
}

// again counts the operations as a later run on the same machine does, which need not make the directory of the journals.
func again(ops []operation) []operation {
	ops = slices.DeleteFunc(ops, func(o operation) bool {
		return o.op == "mkdir" && (o.path == "/var/lib/kubewright" || o.path == "/var/lib/kubewright/runs")
	})
	for i := range ops {
		ops[i].n = i + 1
	}
	return ops
}

// point is a moment at which a run is to be killed.
type point struct {
	faults.Point
	about string
}

// moments are the points that a run has: before each operation, and in the middle of what comes after it, if that takes long enough
// to be hit.
type moments struct {
	ops []operation
	end time.Time
	rng *rand.Rand
}

// gap is how long the run did something else after operation i.
func (m moments) gap(i int) time.Duration {
	if i+1 < len(m.ops) {
		return m.ops[i+1].at.Sub(m.ops[i].at)
	}
	return m.end.Sub(m.ops[i].at)
}

func (m moments) before(i int) point {
	o := m.ops[i]
	return point{faults.Point{N: o.n}, fmt.Sprintf("%s: %s %s", cmp.Or(o.phase, "start"), o.op, o.path)}
}

// after is a moment in the gap after operation i, from a tenth to nine tenths of it.
func (m moments) after(i int) point {
	o := m.ops[i]
	after := time.Duration(float64(m.gap(i)) * (0.1 + 0.8*m.rng.Float64())).Round(100 * time.Microsecond)
	if after == 0 {
		return m.before(i)
	}
	return point{faults.Point{N: o.n, After: after}, m.during(i)}
}

// during says what was going on after operation i.
func (m moments) during(i int) string {
	o := m.ops[i]
	return fmt.Sprintf("%s: %s, after %s %s", cmp.Or(o.phase, "start"), cmp.Or(o.step, "nothing"), o.op, o.path)
}

// choose picks points in the order of the run: those that no choice may leave out, and others by chance until there are count of them.
func (m moments) choose(count int) []point {
	chosen := map[string]point{}
	add := func(p point) { chosen[p.String()] = p }
	byOp, byPhase := map[string][]int{}, map[string][]int{}
	var widest, finals []int
	for i, o := range m.ops {
		byOp[o.op] = append(byOp[o.op], i)
		byPhase[o.phase] = append(byPhase[o.phase], i)
		widest = append(widest, i)
		if o.final && o.op == "append" {
			finals = append(finals, i)
		}
	}
	m.rng.Shuffle(len(finals), func(a, b int) { finals[a], finals[b] = finals[b], finals[a] })
	for _, i := range finals[:min(len(finals), 4)] { // points of no return: right before one is recorded, and while it happens
		add(m.before(i))
		add(m.after(i))
	}
	wider := func(a, b int) int { return cmp.Compare(m.gap(b), m.gap(a)) }
	for _, op := range sorted(byOp) {
		add(m.before(byOp[op][m.rng.IntN(len(byOp[op]))]))
	}
	for _, phase := range sorted(byPhase) {
		in := byPhase[phase]
		add(m.before(in[m.rng.IntN(len(in))]))
		add(m.after(slices.MinFunc(in, wider)))
	}
	slices.SortStableFunc(widest, wider)
	for _, i := range widest[:min(len(widest), 6)] {
		add(m.after(i))
	}
	add(m.before(len(m.ops) - 1))
	add(m.after(len(m.ops) - 1))
	for tries := 0; len(chosen) < count && tries < 100*count; tries++ {
		if i := m.rng.IntN(len(m.ops)); tries%2 == 0 {
			add(m.before(i))
		} else if m.gap(i) > time.Millisecond {
			add(m.after(i))
		}
	}
	list := make([]point, 0, len(chosen))
	for _, key := range sorted(chosen) {
		list = append(list, chosen[key])
	}
	slices.SortStableFunc(list, func(a, b point) int { return cmp.Or(cmp.Compare(a.N, b.N), cmp.Compare(a.After, b.After)) })
	return list
}

func sorted[T any](m map[string]T) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// trial is a run that is killed at the first point, carried on and killed at the next one, and so on, and then carried on to its end,
// or taken back.
type trial struct {
	points []point
	back   bool
}

func (t trial) String() string {
	var names []string
	for _, p := range t.points {
		names = append(names, p.String())
	}
	return strings.Join(names, " ")
}

// trials puts points into trials: three quarters into pairs of an early and a late one, a third of which are taken back.
func trials(points []point) (list []trial) {
	half := len(points) / 2
	for i := range half {
		early, late := points[i], points[len(points)-half+i]
		if i%4 == 0 {
			list = append(list, trial{points: []point{early}}, trial{points: []point{late}})
		} else {
			list = append(list, trial{points: []point{early, late}, back: i%4 == 1})
		}
	}
	if len(points)%2 == 1 {
		list = append(list, trial{points: points[half : half+1], back: true})
	}
	return list
}

// part is the share of a list that part "2/4" has; all of it for "".
func part(list []trial, which string) ([]trial, error) {
	if which == "" {
		return list, nil
	}
	var k, n int
	if _, err := fmt.Sscanf(which, "%d/%d", &k, &n); err != nil || k < 1 || k > n {
		return nil, fmt.Errorf("%q is no part: want 2/4 or the like", which)
	}
	var share []trial
	for i, p := range list {
		if i%n == k-1 {
			share = append(share, p)
		}
	}
	return share, nil
}

func TestFaultsChoice(t *testing.T) {
	const log = "1 2026-01-02T03:04:05.000000001Z mkdir /a\n2 2026-01-02T03:04:05.1Z append /journal\n" +
		"3 2026-01-02T03:04:05.2Z create /a/b c\n4 2026-01-02T03:04:05.3Z append /journal\n"
	ops, killed, err := operations(log + "4 2026-01-02T03:04:06Z killed\n")
	if err != nil || !killed || len(ops) != 4 || ops[2].path != "/a/b c" {
		t.Fatalf("%+v, %v, %v", ops, killed, err)
	}
	if _, _, err := operations("x\n"); err == nil {
		t.Error("a log of nothing is read")
	}
	journal := `{"run":{"command":"init"},"time":"2026-01-02T03:04:05Z"}
{"n":1,"time":"2026-01-02T03:04:05.05Z","phase":"certs","step":"file /a/b c"}
{"done":{"n":1}}
{"n":2,"time":"2026-01-02T03:04:05.25Z","phase":"etcd","step":"add member","final":true}
`
	if err := label(ops, journal); err != nil || ops[0].phase != "" || ops[2].phase != "certs" || ops[3].step != "add member" || !ops[3].final {
		t.Errorf("%+v, %v", ops, err)
	}
	first := []operation{{n: 1, op: "mkdir", path: "/var/lib/kubewright"}, {n: 2, op: "mkdir", path: "/var/lib/kubewright/runs"}}
	if later := again(append(first, ops...)); len(later) != 4 || later[0].n != 1 || later[3].n != 4 {
		t.Errorf("counted again: %+v", later)
	}
	choose := func() []point {
		return moments{ops, ops[0].at.Add(5 * time.Second), rand.New(rand.NewPCG(1, 0))}.choose(8)
	}
	points := choose()
	if fmt.Sprint(points) != fmt.Sprint(choose()) {
		t.Error("the same seed chooses other points")
	}
	var befores, afters []int
	for _, p := range points {
		if p.After == 0 {
			befores = append(befores, p.N)
		} else {
			afters = append(afters, p.N)
		}
	}
	if len(points) < 8 || !slices.Contains(befores, 4) || !slices.Contains(afters, 4) || !slices.IsSorted(befores) {
		t.Errorf("%v", points)
	}
	list, count := trials(points), 0
	for _, tr := range list {
		count += len(tr.points)
	}
	odd, err := part(list, "1/2")
	even, err2 := part(list, "2/2")
	if _, err3 := part(list, "3/2"); err != nil || err2 != nil || err3 == nil || len(odd)+len(even) != len(list) || count != len(points) {
		t.Errorf("parts %v and %v of %v, %v %v %v", odd, even, points, err, err2, err3)
	}
}

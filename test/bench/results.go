package bench

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/kubewright/kubewright/timeline"
)

// Report is all that was measured beside kubeadm on one machine in one run.
type Report struct {
	// Machine is the kind of machine, and Date when it was.
	Machine string    `json:"machine"`
	Date    string    `json:"date"`
	Inits   []InitRun `json:"inits"`
	Joins   []JoinRun `json:"joins"`
	Small   Small     `json:"small"`
}

// Results are the medians, and what they are of kubeadm's or of the floor.
type Results struct {
	InitVsKubeadm    float64 `json:"init_vs_kubeadm"`
	InitVsFloor      float64 `json:"init_vs_floor"`
	KubeadmVsFloor   float64 `json:"kubeadm_vs_floor"`
	ReadyVsKubeadm   float64 `json:"ready_vs_kubeadm"`
	JoinVsKubeadm    float64 `json:"join_vs_kubeadm"`
	CPJoinVsKubeadm  float64 `json:"cp_join_vs_kubeadm"`
	OwnWall          float64 `json:"own_wall_s"`
	OwnCPUVsKubeadm  float64 `json:"own_cpu_vs_kubeadm"`
	RSSVsKubeadm     float64 `json:"rss_vs_kubeadm"`
	SizeVsKubeadm    float64 `json:"size_vs_kubeadm"`
	VersionVsKubeadm float64 `json:"version_vs_kubeadm"`
}

// Goals are what each of the results should be at most.
var Goals = Results{
	InitVsKubeadm: 0.65, InitVsFloor: 1.10, KubeadmVsFloor: math.Inf(1), ReadyVsKubeadm: 0.8, JoinVsKubeadm: 0.5, CPJoinVsKubeadm: 0.6,
	OwnWall: 0.3, OwnCPUVsKubeadm: 0.5, RSSVsKubeadm: 0.6, SizeVsKubeadm: 0.6, VersionVsKubeadm: 0.5,
}

// Results works them out.
func (r *Report) Results() Results {
	inits := func(tool string, of func(InitRun) float64) float64 { return median(r.init(tool, of)) }
	joins := func(tool, role string) float64 { return median(r.join(tool, role)) }
	return Results{
		InitVsKubeadm:    ratio(inits(Ours, InitRun.Done), inits(Theirs, InitRun.Done)),
		InitVsFloor:      ratio(inits(Ours, InitRun.Done), inits(Floor, InitRun.Done)),
		KubeadmVsFloor:   ratio(inits(Theirs, InitRun.Done), inits(Floor, InitRun.Done)),
		ReadyVsKubeadm:   ratio(inits(Ours, readyAt), inits(Theirs, readyAt)),
		JoinVsKubeadm:    ratio(joins(Ours, Worker), joins(Theirs, Worker)),
		CPJoinVsKubeadm:  ratio(joins(Ours, ControlPlane), joins(Theirs, ControlPlane)),
		OwnWall:          inits(Account, func(i InitRun) float64 { return i.Own }),
		OwnCPUVsKubeadm:  ratio(inits(Ours, cpuOf), inits(Theirs, cpuOf)),
		RSSVsKubeadm:     ratio(inits(Ours, rssOf), inits(Theirs, rssOf)),
		SizeVsKubeadm:    ratio(r.Small.Size[Ours], r.Small.Size[Theirs]),
		VersionVsKubeadm: ratio(median(r.Small.Version[Ours]), median(r.Small.Version[Theirs])),
	}
}

func readyAt(i InitRun) float64 { return i.Ready }
func cpuOf(i InitRun) float64   { return i.CPU }
func rssOf(i InitRun) float64   { return i.RSS }

func (r *Report) init(tool string, of func(InitRun) float64) (list []float64) {
	for _, i := range r.Inits {
		if i.Tool == tool {
			list = append(list, of(i))
		}
	}
	return list
}

func (r *Report) join(tool, role string) (list []float64) {
	for _, j := range r.Joins {
		if j.Tool == tool && j.Role == role {
			list = append(list, j.Done())
		}
	}
	return list
}

// median is the middle one, or the mean of the two in the middle; zero of none.
func median(list []float64) float64 {
	if len(list) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(list))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// ratio is rounded to three digits; zero where there is nothing to compare with.
func ratio(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return math.Round(a/b*1000) / 1000
}

// Text is the report for people.
func (r *Report) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %s\n\n", r.Machine, r.Date)
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "what\ttool\truns\tmin\tmedian\tmax\t")
	row := func(what, unit, tool string, list []float64) {
		if len(list) > 0 {
			fmt.Fprintf(table, "%s\t%s\t%d\t%.2f\t%.2f\t%.2f\t%s\n", what, tool, len(list), slices.Min(list), median(list), slices.Max(list), unit)
		}
	}
	for _, tool := range []string{Ours, Theirs, Floor} {
		row("init, all healthy", "s", tool, r.init(tool, InitRun.Done))
	}
	for _, tool := range []string{Ours, Theirs} {
		row("init, command returned", "s", tool, r.init(tool, func(i InitRun) float64 { return i.Returned }))
		row("init, node and CoreDNS ready", "s", tool, r.init(tool, readyAt))
		row("init, CPU", "s", tool, r.init(tool, cpuOf))
		row("init, peak memory", "MiB", tool, r.init(tool, rssOf))
		row("join of a worker", "s", tool, r.join(tool, Worker))
		row("join of a control plane", "s", tool, r.join(tool, ControlPlane))
		row("version", "s", tool, r.Small.Version[tool])
		row("binary", "MB", tool, []float64{r.Small.Size[tool]})
	}
	row("init, until it waits for components", "s", Ours, r.init(Account, func(i InitRun) float64 { return i.Own }))
	table.Flush() //nolint:errcheck // into memory
	fmt.Fprintln(&b)
	table = tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "result\tis\tgoal")
	got := r.Results()
	for _, line := range got.lines() {
		state := "reached"
		switch {
		case line.is == 0:
			fmt.Fprintf(table, "%s\tnot measured\t\n", line.name)
			continue
		case line.is > line.goal:
			state = "missed"
		}
		if math.IsInf(line.goal, 1) {
			fmt.Fprintf(table, "%s\t%.3f\t\n", line.name, line.is)
			continue
		}
		fmt.Fprintf(table, "%s\t%.3f\t%.2f  %s\n", line.name, line.is, line.goal, state)
	}
	table.Flush() //nolint:errcheck // into memory
	return b.String()
}

type resultLine struct {
	name     string
	is, goal float64
}

func (r Results) lines() []resultLine {
	return []resultLine{
		{"init_vs_kubeadm", r.InitVsKubeadm, Goals.InitVsKubeadm},
		{"init_vs_floor", r.InitVsFloor, Goals.InitVsFloor},
		{"kubeadm_vs_floor", r.KubeadmVsFloor, Goals.KubeadmVsFloor},
		{"ready_vs_kubeadm", r.ReadyVsKubeadm, Goals.ReadyVsKubeadm},
		{"join_vs_kubeadm", r.JoinVsKubeadm, Goals.JoinVsKubeadm},
		{"cp_join_vs_kubeadm", r.CPJoinVsKubeadm, Goals.CPJoinVsKubeadm},
		{"own_wall_s", r.OwnWall, Goals.OwnWall},
		{"own_cpu_vs_kubeadm", r.OwnCPUVsKubeadm, Goals.OwnCPUVsKubeadm},
		{"rss_vs_kubeadm", r.RSSVsKubeadm, Goals.RSSVsKubeadm},
		{"size_vs_kubeadm", r.SizeVsKubeadm, Goals.SizeVsKubeadm},
		{"version_vs_kubeadm", r.VersionVsKubeadm, Goals.VersionVsKubeadm},
	}
}

// Picture draws, of each tool and of the floor, the run whose time is in the middle.
func (r *Report) Picture() ([]byte, error) {
	var list []*timeline.Timeline
	for _, tool := range []string{Ours, Theirs, Floor} {
		var of []InitRun
		for _, i := range r.Inits {
			if i.Tool == tool && i.Timeline != nil {
				of = append(of, i)
			}
		}
		if len(of) == 0 {
			continue
		}
		slices.SortFunc(of, func(a, b InitRun) int { return int(1000 * (a.Done() - b.Done())) })
		list = append(list, of[(len(of)-1)/2].Timeline)
	}
	return timeline.SVG(list...)
}

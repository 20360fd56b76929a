package bench

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubewright/kubewright/timeline"
)

func example() *Report {
	drawn := func(tool string, seconds float64) *timeline.Timeline {
		return &timeline.Timeline{Title: tool + " init", Seconds: seconds}
	}
	return &Report{
		Machine: "a machine", Date: "2026-01-02",
		Inits: []InitRun{
			{Tool: Ours, Returned: 5, Healthy: 4, Ready: 9, CPU: 0.2, RSS: 50, Timeline: drawn(Ours, 5)},
			{Tool: Ours, Returned: 6, Healthy: 7, Ready: 8, CPU: 0.4, RSS: 70, Timeline: drawn(Ours, 7)},
			{Tool: Theirs, Returned: 10, Healthy: 9, Ready: 17, CPU: 1, RSS: 120, Timeline: drawn(Theirs, 10)},
			{Tool: Floor, Returned: 0.1, Healthy: 5, Timeline: drawn(Floor, 5)},
			{Tool: Account, Returned: 90, Healthy: 90, Own: 0.25},
		},
		Joins: []JoinRun{
			{Tool: Ours, Role: Worker, Returned: 1, Registered: 0.9}, {Tool: Theirs, Role: Worker, Returned: 2, Registered: 4},
			{Tool: Ours, Role: ControlPlane, Returned: 6}, {Tool: Theirs, Role: ControlPlane, Returned: 8},
		},
		Small: Small{
			Size:    map[string]float64{Ours: 30, Theirs: 75},
			Version: map[string][]float64{Ours: {0.01, 0.02, 0.03}, Theirs: {0.1}},
		},
	}
}

func TestResults(t *testing.T) {
	want := Results{
		InitVsKubeadm: 0.6, InitVsFloor: 1.2, KubeadmVsFloor: 2, ReadyVsKubeadm: 0.5, JoinVsKubeadm: 0.25, CPJoinVsKubeadm: 0.75,
		OwnWall: 0.25, OwnCPUVsKubeadm: 0.3, RSSVsKubeadm: 0.5, SizeVsKubeadm: 0.4, VersionVsKubeadm: 0.2,
	}
	if diff := cmp.Diff(want, example().Results()); diff != "" {
		t.Error(diff)
	}
	if got := new(Report).Results(); got != (Results{}) {
		t.Errorf("of nothing: %+v", got)
	}
}

func TestReportSave(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out")
	if err := example().Save(dir); err != nil {
		t.Fatal(err)
	}
	read := func(name string) string {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	var got Results
	if err := json.Unmarshal([]byte(read("results.json")), &got); err != nil || got != example().Results() {
		t.Errorf("results.json: %+v, %v", got, err)
	}
	for name, list := range map[string][]string{
		"report.txt":   {"a machine, 2026-01-02", "init_vs_floor       1.200  1.10  missed", "join_vs_kubeadm     0.250  0.50  reached"},
		"timeline.svg": {"kubewright init: 5.0 s", "kubeadm init: 10.0 s", "floor init: 5.0 s"},
		"report.json":  {`"machine": "a machine"`},
	} {
		for _, want := range list {
			if text := read(name); !strings.Contains(text, want) {
				t.Errorf("%s has no %q:\n%s", name, want, text)
			}
		}
	}
}

// TestOrder: each goes first equally often.
func TestOrder(t *testing.T) {
	want := []string{Ours, Theirs, Floor, Theirs, Floor, Ours, Account, Account, Account}
	if diff := cmp.Diff(want, order(2)); diff != "" {
		t.Error(diff)
	}
}

func TestKubeadmPhase(t *testing.T) {
	for line, want := range map[string]string{
		"[certs] Generating \"ca\" certificate and key": "certs", "[init] Using Kubernetes version: v1.37.2": "init",
		"\t[WARNING SystemVerification]: x": "", "[WARNING X]: y": "", "mkdir -p": "", "": "", "[x]": "",
	} {
		got, ok := kubeadmPhase(line)
		if ok != (want != "") || ok && got != want {
			t.Errorf("%q: %q, %v", line, got, ok)
		}
	}
}

// TestFollow: a run is healthy with its last component, and ready with what comes after; one that never is so is an error.
func TestFollow(t *testing.T) {
	began := time.Unix(1000, 0)
	lines := ""
	for n, what := range []string{
		"kube-apiserver live", "kubelet answers", "etcd ready", "node registered", "kube-scheduler healthy", "kube-apiserver ready",
		"kube-controller-manager healthy", "node ready", CoreDNS + " " + Running,
	} {
		component, name, _ := strings.Cut(what, " ")
		data, err := json.Marshal(Moment{component, name, began.Add(time.Duration(n+1) * time.Second).UnixNano()})
		if err != nil {
			t.Fatal(err)
		}
		lines += string(data) + "\n"
	}
	rec := timeline.Record("x", began)
	run := InitRun{Tool: Ours}
	if err := run.follow(strings.NewReader(lines), rec, began); err != nil || run.Healthy != 7 || run.Ready != 9 || run.Done() != 7 {
		t.Errorf("%+v, %v", run, err)
	}
	if n := len(rec.End(began).Lanes); n != 7 {
		t.Errorf("%d lanes", n)
	}
	cut, _, _ := strings.Cut(lines, `{"component":"node","name":"ready"`)
	if err := (&InitRun{Tool: Floor}).follow(strings.NewReader(cut), rec, began); err != nil {
		t.Errorf("the floor: %v", err)
	}
	if err := (&InitRun{Tool: Theirs}).follow(strings.NewReader(cut), rec, began); err == nil || !strings.Contains(err.Error(), "node ready, coredns running") {
		t.Errorf("without its end: %v", err)
	}
}

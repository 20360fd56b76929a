package cluster

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubewright/kubewright/host"
)

// TestCauses finds the cause in what real components have said, and none in what may pass by itself.
func TestCauses(t *testing.T) {
	places := map[string]place{"end": atEnd, "life": inLife, "pod": ofPod}
	data, err := os.ReadFile("testdata/lastwords.tsv")
	if err != nil {
		t.Fatal(err)
	}
	found, all := map[string]bool{}, causes()
	for line := range strings.Lines(string(data)) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if strings.HasPrefix(line, "#") {
			continue
		}
		p, known := places[f[0]]
		if len(f) != 4 || !known {
			t.Fatalf("not a line of a test: %q", line)
		}
		got := "-"
		if c := all.find(f[1], p, f[3], []string{f[3]}, false); c != nil {
			got = c.says
			if c.hint == "" || strings.Contains(c.hint, "{") {
				t.Errorf("%s: the hint is %q", got, c.hint)
			}
		}
		if got != f[2] {
			t.Errorf("%s: %q\nwant %q\nof %s", f[1], got, f[2], f[3])
		}
		found[got] = true
	}
	if len(found) < 15 {
		t.Errorf("the lines have only %d causes", len(found))
	}
}

// end is one container that has ended, and what it said last.
func end(component, reason string, code int32, log ...string) *machineOf {
	c := host.Container{ID: component, Name: component, PodName: component + "-cp1", Reason: reason, ExitCode: code,
		StartedAt: int64(time.Hour), FinishedAt: int64(time.Hour + time.Second)}
	return &machineOf{c, log}
}

type machineOf struct {
	host.Container
	log []string
}

// TestDecide ends a wait at the first sight of what no waiting heals, with the cause, its evidence and what to do.
func TestDecide(t *testing.T) {
	const (
		refused = `W1126 00:42:25.7 1 logging.go:55] Err: connection error: desc = "transport: Error while dialing: dial tcp 10.0.0.9:2379: connect: connection refused"`
		gaveUp  = `E1126 00:42:45.7 1 run.go:72] "command failed" err="error creating storage factory: etcd grpc connection not ready: context deadline exceeded"`
		port    = `E1126 00:42:45.9 1 run.go:72] "command failed" err="failed to listen on 0.0.0.0:6443: listen tcp 0.0.0.0:6443: bind: address already in use"`
		publish = `{"level":"warn","msg":"failed to publish local member to cluster through raft","error":"context deadline exceeded"}`
		prober  = `{"level":"warn","msg":"prober detected unhealthy status","error":"dial tcp 10.0.0.9:2380: connect: connection refused"}`
		x509    = `W1126 00:42:25.7 1 logging.go:55] desc = "transport: authentication handshake failed: tls: failed to verify certificate: x509: certificate signed by unknown authority"`
	)
	running := func(c *machineOf) *machineOf { c.Running, c.FinishedAt = true, 0; return c }
	later := func(c *machineOf) *machineOf { c.StartedAt += int64(time.Second); return c }
	never := func(c *machineOf, message string) *machineOf { c.StartedAt, c.Message = 0, message; return c }
	nginx := func(string, int) string { return "nginx (pid 7)" }
	for name, test := range map[string]struct {
		all       []*machineOf
		sight     Sight
		component string
		others    []string
		want      *Verdict // nil: it goes on
	}{
		"flag": {all: []*machineOf{end(scheduler, "Error", 1, "Error: unknown flag: --foo")}, component: scheduler,
			want: &Verdict{Summary: "kube-scheduler ended with exit code 1: it does not know a flag",
				Log:  []string{"Error: unknown flag: --foo"},
				Hint: "mend it in scheduler.extraArgs, or in the patch that it comes from"}},
		"flag, killed": {all: []*machineOf{end(scheduler, "Error", 137, "Error: unknown flag: --foo")}, component: scheduler},
		"OOM": {all: []*machineOf{end(apiServer, "OOMKilled", 137,
			"E1126 00:48:57.5 1 options.go:205] The manifest file is empty, ignoring.", "bye")}, component: apiServer,
			want: &Verdict{Summary: "kube-apiserver ended with exit code 137 (OOMKilled): it needs more memory than it may have",
				Log:  []string{"bye"},
				Hint: "raise or remove its memory limit in the patch that it comes from, or give the machine more memory"}},
		"port of nobody known": {all: []*machineOf{end(apiServer, "Error", 1, port)}, component: apiServer},
		"port of another": {all: []*machineOf{end(apiServer, "Error", 1, port)}, component: apiServer,
			sight: Sight{Foreign: nginx},
			want: &Verdict{Summary: "kube-apiserver ended with exit code 1: port 6443 is taken by nginx (pid 7)",
				Log:  []string{`"command failed" err="failed to listen on 0.0.0.0:6443: listen tcp 0.0.0.0:6443: bind: address already in use"`},
				Hint: "end that process, or let one of the two use another port"}},
		"external etcd": {all: []*machineOf{end(apiServer, "Error", 1, refused, gaveUp)}, component: apiServer,
			want: &Verdict{Summary: "kube-apiserver ended with exit code 1: etcd does not answer", Log: []string{brief(refused),
				brief(gaveUp)},
				Hint: "look at etcd.external.endpoints, and whether etcd runs there and lets this machine reach it"}},
		"external etcd is slow": {all: []*machineOf{end(apiServer, "Error", 1, gaveUp)}, component: apiServer},
		"own etcd": {all: []*machineOf{end(apiServer, "Error", 1, refused, gaveUp)}, component: apiServer,
			others: []string{localEtcd}},
		"etcd without quorum": {all: []*machineOf{running(end(localEtcd, "", 0, prober, publish, "{}"))}, component: localEtcd,
			others: []string{localEtcd},
			want: &Verdict{Summary: "etcd runs, but its data is of a cluster of several members, and the others do not answer",
				Log: []string{"prober detected unhealthy status: dial tcp 10.0.0.9:2380: connect: connection refused",
					"failed to publish local member to cluster through raft: context deadline exceeded"},
				Hint: "if it is data of another cluster that nobody needs, move its data directory away; else start the other members"}},
		"etcd is slow": {all: []*machineOf{running(end(localEtcd, "", 0, publish))}, component: localEtcd,
			others: []string{localEtcd}},
		"etcd's certificate": {all: []*machineOf{running(end(localEtcd, "", 0)), later(running(end(apiServer, "", 0, x509)))},
			component: apiServer, others: []string{localEtcd},
			want: &Verdict{Summary: "kube-apiserver runs, but it and etcd do not trust each other's certificates",
				Log:  []string{brief(x509)},
				Hint: "etcd's certificates, and those in apiServer.extraArgs, must be of the CA in etcd/ca.crt, and valid now"}},
		"etcd's certificate, and etcd started later": {all: []*machineOf{later(running(end(localEtcd, "", 0))),
			running(end(apiServer, "", 0, x509))}, component: apiServer, others: []string{localEtcd},
			want: &Verdict{Summary: "kube-apiserver runs, but it and etcd do not trust each other's certificates",
				Log:  []string{brief(x509)},
				Hint: "etcd's certificates, and those in apiServer.extraArgs, must be of the CA in etcd/ca.crt, and valid now"}},
		"no such program": {all: []*machineOf{never(end(apiServer, "StartError", 128), `exec: "/no/such": stat /no/such: no such file or directory`)},
			component: apiServer,
			want: &Verdict{Summary: "kube-apiserver ended with exit code 128 (StartError): a file is not there that it needs",
				Log:  []string{`exec: "/no/such": stat /no/such: no such file or directory`},
				Hint: "is it mounted? look at apiServer.extraArgs, extraVolumes and patches"}},
		"image": {component: scheduler, sight: Sight{Journal: []JournalLine{{time.Unix(1, 0), podLine}}},
			want: &Verdict{Summary: "kube-scheduler does not start: its image is not there",
				Log:  []string{`ErrImageNeverPull: Container image "x:nope" is not present with pull policy of Never`},
				Hint: "pull the image, or mend its name in the patch or the configuration that it comes from"}},
		"image of another": {component: apiServer, sight: Sight{Journal: []JournalLine{{time.Unix(1, 0), podLine}}}},
		"image of before its manifest changed": {component: scheduler, sight: Sight{Journal: []JournalLine{{time.Unix(1, 0),
			podLine}},
			Changed: func(string) time.Time { return time.Unix(2, 0) }}},
		"image of before it ran": {all: []*machineOf{running(end(scheduler, "", 0))}, component: scheduler,
			sight: Sight{Journal: []JournalLine{{time.Unix(1, 0), podLine}}}},
	} {
		t.Run(name, func(t *testing.T) {
			rt := machine()
			var list []host.Container
			for _, c := range test.all {
				list = append(list, c.Container)
				rt.SetLogs(c.ID, c.log...)
			}
			rt.SetContainers(list...)
			test.sight.Runtime = rt
			if test.sight.Changed == nil {
				test.sight.Changed = unchanged
			}
			all := NewHistory(time.Time{}).Look(t.Context(), test.sight, append(test.others, test.component)...)
			got := all[len(all)-1]
			if test.want == nil {
				if got.Fatal || got.Hint != "" {
					t.Errorf("it is the end: %+v", got)
				}
				return
			}
			test.want.Fatal = true
			got.Progress, got.Signs = nil, nil
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

const podLine = `E1126 00:48:16.4 1522 pod_workers.go:1338] "Error syncing pod, skipping" err="failed to \"StartContainer\" for \"kube-scheduler\" with ` +
	`ErrImageNeverPull: \"Container image \\\"x:nope\\\" is not present with pull policy of Never\"" pod="kube-system/kube-scheduler-cp1" podUID="11"`

// TestPeerOfNow is about an API server that started beside an earlier etcd: only what it says after the new one was seen is about that.
func TestPeerOfNow(t *testing.T) {
	const x509 = `W1126 desc = "transport: authentication handshake failed: tls: failed to verify certificate: x509: unknown authority" `
	h, rt := NewHistory(time.Time{}), machine()
	api, etcd := host.Container{ID: "a", Name: apiServer, PodName: "kube-apiserver-cp1", Running: true, StartedAt: 1},
		host.Container{ID: "e", Name: localEtcd, PodName: "etcd-cp1", Running: true, StartedAt: 3}
	old := host.Container{ID: "o", Name: localEtcd, PodName: "etcd-cp1", StartedAt: 1, FinishedAt: 2}
	changed := func(component string) time.Time {
		if component == localEtcd {
			return time.Unix(0, 3)
		}
		return time.Time{}
	}
	for i, step := range []struct {
		all   []host.Container
		log   []string
		fatal bool
	}{
		{[]host.Container{api, old}, []string{x509 + "1"}, false},
		{[]host.Container{api, etcd, old}, []string{x509 + "1", x509 + "2"}, false},
		{[]host.Container{api, etcd}, []string{x509 + "1", x509 + "2"}, false},
		{[]host.Container{api, etcd}, []string{x509 + "1", x509 + "2", x509 + "3"}, true},
	} {
		rt.SetContainers(step.all...)
		rt.SetLogs("a", step.log...)
		if v := h.Look(t.Context(), Sight{Runtime: rt, Changed: changed}, localEtcd, apiServer)[1]; v.Fatal != step.fatal {
			t.Errorf("look %d: %+v", i, v)
		}
	}
}

// TestKubeletEnd is about the last words of a kubelet.
func TestKubeletEnd(t *testing.T) {
	line := `E1126 00:54:59.592842    3504 run.go:72] "command failed" err="failed to parse kubelet flag: unknown flag: --no-such-flag"`
	v := KubeletEnd([]string{"Started kubelet.service", line,
		"kubelet.service: Main process exited, code=exited, status=1/FAILURE"}, "ended (exit-code, status 1)", nil)
	if v == nil || !v.Fatal || v.Summary != "the kubelet ended (exit-code, status 1): it does not know a flag" ||
		!cmp.Equal(v.Log, []string{"failed to parse kubelet flag: unknown flag: --no-such-flag"}) || !strings.Contains(v.Hint,
		"/etc/default/kubelet") {
		t.Errorf("%+v", v)
	}
	port := `E1126 1 server.go:1] "Failed to listen and serve" err="listen tcp 0.0.0.0:10250: bind: address already in use"`
	if v := KubeletEnd([]string{port}, "ended", func(string, int) string { return "nc (pid 1)" }); v == nil ||
		!strings.Contains(v.Summary, "port 10250 is taken by nc (pid 1)") {
		t.Errorf("%+v", v)
	}
	noise := `E1126 00:49:20.785444    3828 manager.go:550] "Failed to read data from checkpoint" err="open /x: no such file or directory"`
	for _, passing := range []string{port, "", noise,
		`E1126 1 run.go:72] "command failed" err="failed to run Kubelet: cannot create certificate signing request: Forbidden"`} {
		if v := KubeletEnd([]string{passing}, "ended", nil); v != nil {
			t.Errorf("%s: %+v", passing, v)
		}
	}
}

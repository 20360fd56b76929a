package phases

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubewright/kubewright/cluster"
	"github.com/kubewright/kubewright/host"
	"github.com/kubewright/kubewright/host/hosttest"
	"github.com/kubewright/kubewright/plan"
	"github.com/kubewright/kubewright/systemd"
	"github.com/kubewright/kubewright/systemd/systemdtest"
)

// TestStalePods: pods of before their manifest was changed go while the kubelet is stopped; all others stay.
func TestStalePods(t *testing.T) {
	h := hosttest.New(t)
	if err := h.MkdirAll("/etc/kubernetes/manifests", 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"kube-apiserver", "etcd"} {
		if err := h.WriteFile(manifestPath(name), host.FileSpec{Data: []byte("x"), Mode: 0o600}); err != nil {
			t.Fatal(err)
		}
	}
	before, after := time.Now().Add(-time.Hour).UnixNano(), time.Now().Add(time.Hour).UnixNano()
	rt := &hosttest.Runtime{}
	rt.SetStaticPods(
		host.Pod{ID: "old", Name: "kube-apiserver-cp1", CreatedAt: before}, host.Pod{ID: "new", Name: "kube-apiserver-cp1", CreatedAt: after},
		host.Pod{ID: "etcd", Name: "etcd-cp1", CreatedAt: after}, host.Pod{ID: "theirs", Name: "sleeper-cp1", CreatedAt: before},
		host.Pod{ID: "no manifest", Name: "kube-scheduler-cp1", CreatedAt: before},
	)
	units := systemdtest.New()
	units.Set(systemd.Unit{Name: "kubelet.service", ActiveState: "active", UnitFileState: "enabled"})
	f := &Facts{Host: h, Runtime: rt}
	steps := stalePods(context.Background(), f, cluster.Probe{Name: "kube-apiserver", URL: "https://127.0.0.1:1/livez"})
	r := &plan.Runner{Target: &plan.Target{Host: h, Runtime: rt, Systemd: units}}
	p := plan.Plan{Sections: []plan.Section{{Phase: "wait", Steps: steps}}}
	if n, err := r.Run(context.Background(), p); n != 1 || err != nil {
		t.Fatalf("%d changes, %v", n, err)
	}
	left, _ := rt.StaticPods(context.Background())
	var ids []string
	for _, pod := range left {
		ids = append(ids, pod.ID)
	}
	if diff := cmp.Diff([]string{"new", "etcd", "theirs", "no manifest"}, ids); diff != "" {
		t.Error(diff)
	}
	calls := slices.DeleteFunc(units.Calls(), func(c string) bool { return c != "stop kubelet.service" && c != "start kubelet.service" })
	if diff := cmp.Diff([]string{"stop kubelet.service", "start kubelet.service"}, calls); diff != "" {
		t.Error(diff)
	}
	if n, err := r.Run(context.Background(), p); n != 0 || err != nil {
		t.Errorf("again: %d changes, %v", n, err)
	}
	// Without a runtime there is nothing to ask, and a healthy component is its kubelet's.
	healthy := cluster.Probe{Name: "kube-apiserver"}
	if stalePods(context.Background(), f, healthy) != nil || stalePods(context.Background(), &Facts{Host: h}, cluster.Probe{URL: "https://127.0.0.1:1/livez"}) != nil {
		t.Error("steps where none are due")
	}
	rt.Err = errors.New("no socket")
	if _, err := r.Run(context.Background(), p); err == nil {
		t.Error("a runtime that does not answer is no error")
	}
}

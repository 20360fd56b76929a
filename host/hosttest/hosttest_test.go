package hosttest

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubewright/kubewright/host"
)

func TestNew(t *testing.T) {
	h := New(t)
	unlock, err := h.Lock(t.Context(), "test")
	if err != nil || !h.Exists("/run/kubewright.lock") {
		t.Fatalf("the lock of a host for tests: %v", err)
	}
	unlock()
}

func TestRuntime(t *testing.T) {
	ctx, broken := t.Context(), errors.New("broken")
	r := &Runtime{PullErr: map[string]error{"bad": broken}}
	r.SetImages("b")
	if err := r.PullImage(ctx, "a"); err != nil {
		t.Error(err)
	}
	if err := r.PullImage(ctx, "bad"); !errors.Is(err, broken) {
		t.Error(err)
	}
	if has, _ := r.HasImage(ctx, "bad"); has || !cmp.Equal(r.Images(), []string{"a", "b"}) || !cmp.Equal(r.Pulled(), []string{"a", "bad"}) {
		t.Errorf("images %q, pulled %q", r.Images(), r.Pulled())
	}
	r.SetContainers(host.Container{ID: "1"})
	r.SetLogs("1", "x", "y")
	list, _ := r.Containers(ctx)
	lines, _ := r.Logs(ctx, "1", 1)
	if len(list) != 1 || !cmp.Equal(lines, []string{"y"}) {
		t.Errorf("containers %v, log %q", list, lines)
	}
	if _, err := r.CgroupDriver(ctx); err == nil {
		t.Error("a runtime without a driver tells one")
	}
	r.SetStaticPods(host.Pod{ID: "etcd"})
	static, _ := r.StaticPods(ctx)
	r.SetPods(append(static, host.Pod{ID: "dns", Namespace: "kube-system"}, host.Pod{ID: "own", Namespace: "default", Static: true})...)
	if err := r.RemovePod(ctx, "own"); err != nil {
		t.Error(err)
	}
	all, _ := r.KubeletPods(ctx)
	again, _ := r.StaticPods(ctx)
	if len(all) != 2 || all[1].ID != "dns" || !cmp.Equal(static, again) || len(again) != 1 {
		t.Errorf("static pods %v, then %v of %v", static, again, all)
	}
	r.Err = broken
	if err := r.Ready(ctx); !errors.Is(err, broken) {
		t.Errorf("a broken runtime is ready: %v", err)
	}
}

package cluster

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
)

const registered = `{"apiVersion":"v1","kind":"Node","metadata":{"name":"cp1","resourceVersion":"7",
"labels":{"kubernetes.io/hostname":"cp1"}},"spec":{"taints":[{"key":"theirs","effect":"NoExecute"},
{"key":"node-role.kubernetes.io/control-plane","value":"old","effect":"NoSchedule"}]}}`

func TestMarkControlPlane(t *testing.T) {
	var patches []map[string]any
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			echo(w, []byte(registered))
			return
		}
		body, _ := io.ReadAll(r.Body)
		var patch map[string]any
		if err := json.Unmarshal(body, &patch); err != nil {
			t.Error(err)
		}
		if patches = append(patches, patch); len(patches) == 2 {
			refuse(w, 409, "Conflict", "modified")
			return
		}
		echo(w, []byte(registered))
	})
	taints := []corev1.Taint{{Key: LabelControlPlane, Effect: corev1.TaintEffectNoSchedule}}
	if err := c.MarkControlPlane(t.Context(), "cp1", taints); err != nil {
		t.Fatal(err)
	}
	labels := map[string]any{"node-role.kubernetes.io/control-plane": "", "node.kubernetes.io/exclude-from-external-load-balancers": ""}
	alone := map[string]any{"metadata": map[string]any{"labels": labels}}
	all := map[string]any{
		"apiVersion": "v1", "kind": "Node",
		"metadata": map[string]any{"resourceVersion": "7", "labels": labels},
		"spec": map[string]any{"taints": []any{
			map[string]any{"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"},
			map[string]any{"key": "theirs", "effect": "NoExecute"},
		}},
	}
	if d := cmp.Diff([]map[string]any{alone, all, all}, patches); d != "" {
		t.Error(d)
	}
}

// TestMarkControlPlaneOnce: a node that has its taints is marked by one request, whatever its kubelet writes meanwhile.
func TestMarkControlPlaneOnce(t *testing.T) {
	asked := 0
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked++
		body, _ := io.ReadAll(r.Body)
		if r.Method != http.MethodPatch || bytes.Contains(body, []byte("resourceVersion")) {
			t.Errorf("%s %s", r.Method, body)
		}
		node := corev1.Node{TypeMeta: typeMeta("v1", "Node")}
		node.Labels = map[string]string{LabelControlPlane: "", LabelNoExternalLB: ""}
		node.Spec.Taints = []corev1.Taint{{Key: LabelControlPlane, Effect: corev1.TaintEffectNoSchedule}}
		data, err := json.Marshal(node)
		if err != nil {
			t.Error(err)
		}
		echo(w, data)
	})
	if err := c.MarkControlPlane(t.Context(), "cp1", []corev1.Taint{{Key: LabelControlPlane, Effect: corev1.TaintEffectNoSchedule}}); err != nil || asked != 1 {
		t.Errorf("%v, asked %d times", err, asked)
	}
}

func TestMarked(t *testing.T) {
	both := map[string]string{LabelControlPlane: "", LabelNoExternalLB: ""}
	taint := corev1.Taint{Key: "a", Value: "b", Effect: corev1.TaintEffectNoSchedule}
	other := taint
	other.Value = "c"
	for name, test := range map[string]struct {
		labels map[string]string
		have   []corev1.Taint
		want   []corev1.Taint
		marked bool
	}{
		"nothing":        {nil, nil, nil, false},
		"one label":      {map[string]string{LabelControlPlane: ""}, nil, nil, false},
		"no taint asked": {both, []corev1.Taint{taint}, nil, true},
		"taint":          {both, []corev1.Taint{other, taint}, []corev1.Taint{taint}, true},
		"other value":    {both, []corev1.Taint{other}, []corev1.Taint{taint}, false},
		"taint missing":  {both, nil, []corev1.Taint{taint}, false},
	} {
		node := &corev1.Node{}
		node.Labels, node.Spec.Taints = test.labels, test.have
		if got := marked(node, test.want); got != test.marked {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestNodeNotThere(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, r *http.Request) { refuse(w, 404, "NotFound", `nodes "cp1" not found`) })
	if err := c.NodeRegistered(t.Context(), "cp1", Kubelet{}); err == nil || err.Error() != "node cp1 is not registered" {
		t.Errorf("registered: %v", err)
	}
	if ok, err := c.Marked(t.Context(), "cp1", nil); ok || err != nil {
		t.Errorf("marked: %v, %v", ok, err)
	}
	err := c.MarkControlPlane(t.Context(), "cp1", nil)
	if err == nil || err.Error() != "cannot mark Node cp1 as control plane: it is not registered" {
		t.Error(err)
	}
}

func TestWaitAdminBound(t *testing.T) {
	asked := 0
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch asked++; asked {
		case 1:
			refuse(w, 403, "Forbidden", "may not ask")
		case 2:
			echo(w, []byte(`{"apiVersion":"authorization.k8s.io/v1","kind":"SelfSubjectAccessReview","status":{"allowed":false}}`))
		default:
			echo(w, []byte(`{"apiVersion":"authorization.k8s.io/v1","kind":"SelfSubjectAccessReview","status":{"allowed":true}}`))
		}
	})
	if err := c.WaitAdminBound(t.Context()); err != nil || asked != 3 {
		t.Errorf("%v after %d questions", err, asked)
	}
}

package cluster

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestRegistered tells the Node of this machine's kubelet from one that another machine left, and from one that it uses.
func TestRegistered(t *testing.T) {
	start := time.Date(2026, 11, 24, 12, 0, 0, 7e8, time.UTC)
	node := func(label, boot string, heartbeat time.Time) *corev1.Node {
		n := &corev1.Node{}
		n.Labels = map[string]string{corev1.LabelHostname: label}
		n.Status.NodeInfo.BootID = boot
		if !heartbeat.IsZero() {
			n.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionFalse,
				LastHeartbeatTime: metav1.NewTime(heartbeat.Truncate(time.Second))}}
		}
		return n
	}
	ours := Kubelet{Started: start, BootID: "here"}
	for name, test := range map[string]struct {
		node    *corev1.Node
		kubelet Kubelet
		want    string
	}{
		"ours":                             {node("n", "here", start.Add(time.Minute)), ours, ""},
		"ours, in the second of its start": {node("n", "here", start), ours, ""},
		"boot ID not posted":               {node("n", "", start), ours, ""},
		"nothing to compare":               {node("n", "there", time.Time{}), Kubelet{}, ""},
		"no systemd":                       {node("n", "here", time.Time{}), Kubelet{BootID: "here"}, ""},
		"none":                             {nil, ours, "is not registered"},
		"half made":                        {node("", "here", start), ours, "no label"},
		"made by hand":                     {node("n", "", time.Time{}), ours, "has not reported"},
		"of before the boot":               {node("n", "before", start.Add(-time.Hour)), ours, "before the last boot"},
		"dead machine":                     {node("n", "there", start.Add(-time.Hour)), ours, "of another machine"},
		"dead clone, or container":         {node("n", "here", start.Add(-time.Hour)), ours, "has not reported"},
		"machine that is alive":            {node("n", "there", start.Add(time.Minute)), ours, "of another machine"},
	} {
		err := test.kubelet.registered(test.node, "n")
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestWatchRegistered: one request, answered when the Node becomes that of this machine.
func TestWatchRegistered(t *testing.T) {
	event := func(kind, machine string) string {
		return fmt.Sprintf(`{"type":%q,"object":{"apiVersion":"v1","kind":"Node","metadata":{"name":"w1","labels":{"kubernetes.io/hostname":"w1"}},`+
			`"status":{"nodeInfo":{"bootID":%q}}}}`+"\n", kind, machine)
	}
	var requests atomic.Int32
	registers := make(chan struct{})
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		if q := r.URL.Query(); q.Get("watch") == "" || q.Get("fieldSelector") != "metadata.name=w1" {
			t.Errorf("asked %s", r.URL)
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, event("ADDED", "dead"))
		w.(http.Flusher).Flush()
		if requests.Load() == 1 {
			return
		}
		select {
		case <-registers:
		case <-r.Context().Done():
			return
		}
		fmt.Fprint(w, event("MODIFIED", "self"))
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	self := Kubelet{BootID: "self"}
	if err := c.WatchRegistered(t.Context(), "w1", self); err == nil || !strings.Contains(err.Error(), "of another machine") {
		t.Errorf("the watch has ended: %v", err)
	}
	short, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := c.WatchRegistered(short, "w1", self); err == nil {
		t.Fatal("content with the Node of a dead machine")
	}
	close(registers)
	if err := c.WatchRegistered(t.Context(), "w1", self); err != nil || requests.Load() != 3 {
		t.Errorf("%d requests: %v", requests.Load(), err)
	}
}

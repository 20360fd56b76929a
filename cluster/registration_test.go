package cluster

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

func TestRegistered(t *testing.T) {
	self := Identity{MachineID: "m1", BootID: "b1"}
	for name, test := range map[string]struct {
		self          Identity
		label         string
		machine, boot string
		want          bool
	}{
		"this machine":           {self, "cp1", "m1", "b1", true},
		"rebooted":               {self, "cp1", "m1", "b2", true},
		"a dead one":             {self, "cp1", "m2", "b2", false},
		"no status yet":          {self, "cp1", "", "", true},
		"identity not known":     {Identity{}, "cp1", "m2", "b2", true},
		"one identity not known": {Identity{BootID: "b1"}, "cp1", "m2", "b2", true},
		"no label yet":           {self, "", "m1", "b1", false},
	} {
		node := &corev1.Node{}
		node.Labels = map[string]string{corev1.LabelHostname: test.label}
		node.Status.NodeInfo.MachineID, node.Status.NodeInfo.BootID = test.machine, test.boot
		if got := test.self.registered(node); got != test.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestWatchRegistered: one request, answered when the Node becomes that of this machine.
func TestWatchRegistered(t *testing.T) {
	event := func(kind, machine string) string {
		return fmt.Sprintf(`{"type":%q,"object":{"apiVersion":"v1","kind":"Node","metadata":{"name":"w1","labels":{"kubernetes.io/hostname":"w1"}},`+
			`"status":{"nodeInfo":{"machineID":%q,"bootID":%q}}}}`+"\n", kind, machine, machine)
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
		select {
		case <-registers:
		case <-r.Context().Done():
			return
		}
		fmt.Fprint(w, event("MODIFIED", "self"))
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	self := Identity{MachineID: "self", BootID: "self"}
	short, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := c.WatchRegistered(short, "w1", self); err == nil {
		t.Fatal("content with the Node of a dead machine")
	}
	close(registers)
	if err := c.WatchRegistered(t.Context(), "w1", self); err != nil || requests.Load() != 2 {
		t.Errorf("%d requests: %v", requests.Load(), err)
	}
}

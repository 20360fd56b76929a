package cluster

import (
	"net/http"
	"testing"
)

func TestNodeReady(t *testing.T) {
	for name, test := range map[string]struct {
		status        string
		exists, ready bool
	}{
		"ready":        {`{"conditions":[{"type":"MemoryPressure","status":"False"},{"type":"Ready","status":"True"}]}`, true, true},
		"not ready":    {`{"conditions":[{"type":"MemoryPressure","status":"True"},{"type":"Ready","status":"False"}]}`, true, false},
		"unknown":      {`{"conditions":[{"type":"Ready","status":"Unknown"}]}`, true, false},
		"no condition": {`{}`, true, false},
		"not there":    {"", false, false},
	} {
		asked := 0
		c := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if asked++; r.URL.Path != "/api/v1/nodes/w1" {
				t.Errorf("asked for %s", r.URL)
			}
			if test.status == "" {
				refuse(w, 404, "NotFound", `nodes "w1" not found`)
				return
			}
			echo(w, []byte(`{"apiVersion":"v1","kind":"Node","metadata":{"name":"w1"},"status":`+test.status+`}`))
		})
		exists, ready, err := c.NodeReady(t.Context(), "w1")
		if exists != test.exists || ready != test.ready || err != nil || asked != 1 {
			t.Errorf("%s: exists %v, ready %v, %v after %d requests", name, exists, ready, err, asked)
		}
	}
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) { refuse(w, 401, "Unauthorized", "Unauthorized") })
	if _, _, err := c.NodeReady(t.Context(), "w1"); err == nil || err.Error() != "cannot get Node w1: Unauthorized" {
		t.Error(err)
	}
}

package cluster

import (
	"net/http"
	"slices"
	"testing"
)

// TestEtcdEndpoints: a static pod that is not seen for a moment, as after a restart of its kubelet, is waited for.
func TestEtcdEndpoints(t *testing.T) {
	asked := 0
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if got := r.URL.Query().Get("labelSelector"); got != "component=etcd,tier=control-plane" {
			t.Errorf("asked for %s", got)
		}
		items := ""
		if asked++; asked > 2 {
			items = `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"etcd-cp1","annotations":{"` + EtcdEndpointAnnotation + `":"https://10.9.0.1:2379"}}}`
		}
		echo(w, []byte(`{"apiVersion":"v1","kind":"PodList","items":[`+items+`]}`))
	})
	got, err := c.EtcdEndpoints(t.Context())
	if err != nil || asked != 3 || !slices.Equal(got, []string{"https://10.9.0.1:2379"}) {
		t.Errorf("%v after %d questions, %v", got, asked, err)
	}
}

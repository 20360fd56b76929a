package cluster

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestNodeConfiguration(t *testing.T) {
	for name, test := range map[string]struct {
		there []string
		code  int
		want  *Configuration
		err   string
	}{
		"both":      {[]string{"kubeadm-config", "kubelet-config"}, 404, &Configuration{Cluster: []byte("c: 1\n"), Kubelet: []byte("k: 1\n")}, ""},
		"one":       {[]string{"kubeadm-config"}, 404, &Configuration{Cluster: []byte("c: 1\n")}, ""},
		"none":      {nil, 404, &Configuration{}, ""},
		"forbidden": {[]string{"kubeadm-config"}, 403, nil, "cannot get ConfigMap kube-system/kubelet-config: no"},
	} {
		t.Run(name, func(t *testing.T) {
			var mutex sync.Mutex
			asked := 0
			c := serve(t, func(w http.ResponseWriter, r *http.Request) {
				mutex.Lock()
				asked++
				mutex.Unlock()
				for _, name := range test.there {
					if r.URL.Path == "/api/v1/namespaces/kube-system/configmaps/"+name {
						echo(w, fmt.Appendf(nil, `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":%q},
"data":{"ClusterConfiguration":"c: 1\n","kubelet":"k: 1\n"}}`, name))
						return
					}
				}
				refuse(w, test.code, map[int]string{403: "Forbidden", 404: "NotFound"}[test.code], "no")
			})
			got, err := c.NodeConfiguration(t.Context())
			if d := cmp.Diff(test.want, got); d != "" || asked != 2 {
				t.Errorf("%d requests:\n%s", asked, d)
			}
			if test.err == "" && err != nil || test.err != "" && (err == nil || !strings.Contains(err.Error(), test.err)) {
				t.Errorf("error: %v", err)
			}
		})
	}
}

package cluster

import (
	"encoding/json"
	"net/http"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/cluster-bootstrap/token/jws"
)

// TestSignClusterInfo: one key is written, the signer's value; a token that is not for signing, and a refusal, write nothing.
func TestSignClusterInfo(t *testing.T) {
	const path = "/api/v1/namespaces/kube-public/configmaps/cluster-info"
	info, err := json.Marshal(corev1.ConfigMap{TypeMeta: typeMeta("v1", "ConfigMap"), Data: map[string]string{"kubeconfig": "the cluster"}})
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		signing   string
		forbidden bool
		patches   int
	}{
		"signs": {"true", false, 1}, "not for signing": {"false", false, 0}, "forbidden": {"true", true, 0},
	} {
		patches, asked := 0, 0
		c := serve(t, func(w http.ResponseWriter, r *http.Request) {
			asked++
			if r.URL.Path != path {
				t.Errorf("%s: %s", name, r.URL)
			}
			if test.forbidden {
				refuse(w, 403, "Forbidden", "no")
				return
			}
			if r.Method == http.MethodPatch {
				patches++
				var sent struct{ Data map[string]string }
				if err := json.NewDecoder(r.Body).Decode(&sent); err != nil || len(sent.Data) != 1 ||
					!jws.DetachedTokenIsValid(sent.Data["jws-kubeconfig-abcdef"], "the cluster", "abcdef", "0123456789abcdef") {
					t.Errorf("%s: %v, %v", name, sent.Data, err)
				}
			}
			echo(w, info)
		})
		token := tokenSecret()
		token.Data["usage-bootstrap-signing"] = []byte(test.signing)
		c.SignClusterInfo(t.Context(), token)
		if patches != test.patches || test.signing == "false" && asked > 0 || asked > 2 {
			t.Errorf("%s: %d patches, asked %d times", name, patches, asked)
		}
	}
}

package cluster

import (
	"net/http"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestList(t *testing.T) {
	like := &appsv1.Deployment{
		TypeMeta: typeMeta("apps/v1", "Deployment"), ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: "coredns"},
	}
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/apis/apps/v1/namespaces/kube-system/deployments" || r.URL.Query().Get("labelSelector") != "k8s-app=kube-dns" {
			t.Errorf("asked for %s", r.URL)
		}
		echo(w, []byte(`{"apiVersion":"apps/v1","kind":"DeploymentList","metadata":{},"items":[
			{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"a"}},{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"b"}}]}`))
	})
	if found, err := c.List(t.Context(), like, map[string]string{"k8s-app": "kube-dns"}); err != nil || len(found) != 2 {
		t.Errorf("%v, %v", found, err)
	}
	c = serve(t, func(w http.ResponseWriter, _ *http.Request) { refuse(w, 403, "Forbidden", "you may not") })
	if _, err := c.List(t.Context(), like, nil); err == nil || err.Error() != "cannot list objects like Deployment kube-system/coredns: you may not" {
		t.Error(err)
	}
}

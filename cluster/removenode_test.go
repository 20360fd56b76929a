package cluster

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"
)

// deletions are the objects that a deletion was asked for, in order.
func (k *keeper) deletions() []string {
	var names []string
	for _, r := range k.requests {
		if rest, ok := strings.CutPrefix(r, "DELETE "); ok {
			names = append(names, rest[strings.LastIndex(rest, "/")+1:])
		}
	}
	return names
}

// TestRemoveNode: the Node goes first, what belongs to others stays, and nothing is left for a second run.
func TestRemoveNode(t *testing.T) {
	k, c := keep(t)
	if err := c.RemoveNode(t.Context(), "w1", ownMachine()); err != nil {
		t.Fatal(err)
	}
	want := []string{"w1", "w1", "web-1", "job-1", "csr-first", "csr-rotated", "csr-serving"}
	if d := cmp.Diff(want, k.deletions()); d != "" || k.requests[5] != "DELETE "+nodePath {
		t.Error(d, k.requests)
	}
	for _, path := range []string{csrPath + "/csr-other", csrPath + "/csr-of-a-user", "/api/v1/namespaces/default/pods/web-2"} {
		if k.objects[path] == nil {
			t.Errorf("%s is gone", path)
		}
	}
	k.requests = nil
	if err := c.RemoveNode(t.Context(), "w1", ownMachine()); err != nil || len(k.deletions()) > 0 {
		t.Errorf("%v, %q", err, k.requests)
	}
}

// TestRemoveNodeOfAnother: not even a pod that is bound to the name is deleted.
func TestRemoveNodeOfAnother(t *testing.T) {
	k, c := keep(t)
	k.objects[nodePath] = nodeOf("there", "other", "10.0.0.2")
	err := c.RemoveNode(t.Context(), "w1", ownMachine())
	if other := (*OtherMachineError)(nil); !errors.As(err, &other) || len(k.deletions()) > 0 {
		t.Errorf("%v, %q", err, k.requests)
	}
	// Somebody else registers between the look and the deletion.
	k, c = keep(t)
	k.refused["GET "+leasePath] = func(w http.ResponseWriter) {
		replaced := nodeOf("there", "other", "10.0.0.2")
		replaced.UID = "another-uid"
		k.objects[nodePath] = replaced
		refuse(w, 404, "NotFound", "it is not there")
	}
	err = c.RemoveNode(t.Context(), "w1", ownMachine())
	if err == nil || !strings.Contains(err.Error(), "another Node of that name") || k.objects[nodePath] == nil {
		t.Error(err)
	}
	if d := cmp.Diff([]string{"w1"}, k.deletions()); d != "" {
		t.Error(d)
	}
}

// TestRemoveNodeAsKubelet: those credentials may not delete the Node and its requests; all the rest goes, and nothing new comes.
func TestRemoveNodeAsKubelet(t *testing.T) {
	k, c := keep(t)
	k.forbid("DELETE " + nodePath)
	for _, name := range []string{"csr-first", "csr-rotated", "csr-serving"} {
		k.forbid("DELETE " + csrPath + "/" + name)
	}
	err := c.RemoveNode(t.Context(), "w1", ownMachine())
	kept := (*KeptError)(nil)
	if !errors.As(err, &kept) {
		t.Fatal(err)
	}
	if d := cmp.Diff(slices.Concat(all()[:1], all()[4:]), kept.Objects); d != "" {
		t.Error(d)
	}
	want := "cannot delete Node w1, CertificateSigningRequest csr-first, CertificateSigningRequest csr-rotated, " +
		"CertificateSigningRequest csr-serving: you may not\nwith the credentials of an administrator: kubectl delete node w1\n" +
		"requests for certificates are deleted by the cluster itself, within a day"
	if d := cmp.Diff(want, err.Error()); d != "" {
		t.Error(d)
	}
	left, err := c.NodeLeftovers(t.Context(), "w1", ownMachine())
	if d := cmp.Diff(kept.Objects, left); d != "" || err != nil {
		t.Errorf("%v\n%s", err, d)
	}
	patch := slices.IndexFunc(k.requests, func(r string) bool { return strings.HasPrefix(r, "PATCH "+nodePath+"/status ") })
	if patch != 6 || !strings.Contains(k.requests[patch], "strategic-merge-patch") ||
		!strings.Contains(k.requests[patch], `"uid":"node-uid"`) || !strings.Contains(k.requests[patch], `"status":"False"`) ||
		strings.Contains(k.requests[patch], "nodeInfo") || strings.Contains(k.requests[patch], "lastHeartbeatTime") {
		t.Errorf("%d of %q", patch, k.requests)
	}
}

// TestRemoveNodeForbidden: a refusal of one object or list does not keep the others.
func TestRemoveNodeForbidden(t *testing.T) {
	k, c := keep(t)
	k.forbid("DELETE /api/v1/namespaces/default/pods/web-1")
	k.forbid("GET " + csrPath)
	err := c.RemoveNode(t.Context(), "w1", ownMachine())
	kept := (*KeptError)(nil)
	if !errors.As(err, &kept) || !slices.Equal(kept.Objects, []string{"Pod default/web-1"}) {
		t.Fatal(err)
	}
	if text := err.Error(); !strings.Contains(text, "cannot list the requests for certificates") || !strings.Contains(text, "by kubectl") ||
		strings.Contains(text, "delete node") {
		t.Error(text)
	}
	if d := cmp.Diff([]string{"w1", "w1", "web-1", "job-1"}, k.deletions()); d != "" {
		t.Error(d)
	}
}

// TestRemoveNodeReplacedPod: a pod that was made anew under the same name, on another node, stays.
func TestRemoveNodeReplacedPod(t *testing.T) {
	k, c := keep(t)
	const path = "/api/v1/namespaces/kube-system/pods/job-1"
	k.refused["DELETE "+nodePath] = func(w http.ResponseWriter) {
		delete(k.refused, "DELETE "+nodePath)
		k.pod("kube-system", "job-1", "w2").UID = types.UID("another-uid")
		refuse(w, 404, "NotFound", "it is not there")
	}
	if err := c.RemoveNode(t.Context(), "w1", ownMachine()); err != nil || k.objects[path] == nil {
		t.Error(err)
	}
}

// TestRemoveNodeTrouble: one object that cannot be deleted costs the client's patience once, and a server that has gone ends it all.
func TestRemoveNodeTrouble(t *testing.T) {
	k, c := keep(t)
	c = c.WithPatience(50 * time.Millisecond)
	k.refused["DELETE /api/v1/namespaces/default/pods/web-1"] = func(w http.ResponseWriter) { refuse(w, 500, "InternalError", "a webhook is down") }
	err := c.RemoveNode(t.Context(), "w1", ownMachine())
	if err == nil || err.Error() != "cannot delete Pod default/web-1: a webhook is down" {
		t.Error(err)
	}
	left, err := c.NodeLeftovers(t.Context(), "w1", ownMachine())
	if d := cmp.Diff([]string{"Pod default/web-1"}, left); d != "" || err != nil {
		t.Errorf("%v\n%s", err, d)
	}
	k, c = keep(t)
	c = c.WithPatience(50 * time.Millisecond)
	k.refused["DELETE"] = func(w http.ResponseWriter) {
		if conn, _, err := w.(http.Hijacker).Hijack(); err == nil {
			conn.Close()
		}
	}
	err = c.RemoveNode(t.Context(), "w1", ownMachine())
	if err == nil || !strings.HasPrefix(err.Error(), "cannot delete Node w1: ") || strings.Contains(err.Error(), "Lease") {
		t.Error(err)
	}
}

// TestControlPlaneNodes asks for the label, whatever its value.
func TestControlPlaneNodes(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/api/v1/nodes" || r.URL.Query().Get("labelSelector") != "node-role.kubernetes.io/control-plane" {
			t.Errorf("asked for %s", r.URL)
		}
		echo(w, []byte(`{"apiVersion":"v1","kind":"NodeList","items":[{"metadata":{"name":"cp1"}},{"metadata":{"name":"cp2"}}]}`))
	})
	if names, err := c.ControlPlaneNodes(t.Context()); err != nil || !slices.Equal(names, []string{"cp1", "cp2"}) {
		t.Errorf("%q, %v", names, err)
	}
	c = serve(t, func(w http.ResponseWriter, _ *http.Request) { refuse(w, 403, "Forbidden", "you may not") })
	if _, err := c.ControlPlaneNodes(t.Context()); err == nil || err.Error() != "cannot list the control-plane nodes: you may not" {
		t.Error(err)
	}
}

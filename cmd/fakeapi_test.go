package cmd

import (
	"crypto/x509"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	utiljson "k8s.io/apimachinery/pkg/util/json"
)

// adminBinding is what gives the administrators their rights.
const adminBinding = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/kubeadm:cluster-admins"

// object does what is asked with one object, or lists those of a resource.
func (c *fakeCluster) object(r *http.Request) (obj any, code int) {
	var sent unstructured.Unstructured
	path := r.URL.Path
	if r.Method == http.MethodPost || r.Method == http.MethodPut || r.Method == http.MethodPatch {
		if err := json.NewDecoder(r.Body).Decode(&sent.Object); err != nil {
			return nil, http.StatusBadRequest
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch r.Method {
	case http.MethodPatch:
		return c.patch(r, path, sent.Object)
	case http.MethodPost:
		if strings.HasSuffix(path, "/selfsubjectaccessreviews") {
			sent.Object["status"] = map[string]any{"allowed": c.administers(r)}
			return sent.Object, 0
		}
		path += "/" + sent.GetName()
		fallthrough
	case http.MethodPut:
		if c.version(path) != sent.GetResourceVersion() {
			return nil, http.StatusConflict
		}
		return c.store(path, sent.Object), 0
	}
	if obj = c.objects[path]; obj == nil && r.Method == http.MethodGet && collection(path) {
		return c.list(path, r.URL.Query()), 0
	}
	if obj == nil {
		return nil, http.StatusNotFound
	}
	if r.Method == http.MethodDelete {
		delete(c.objects, path)
	}
	return obj, 0
}

// store keeps an object, with what the server adds to it.
func (c *fakeCluster) store(path string, content map[string]any) map[string]any {
	u := unstructured.Unstructured{Object: content}
	c.versions++
	u.SetResourceVersion(fmt.Sprint(c.versions))
	if u.GetUID() == "" {
		_ = unstructured.SetNestedField(content, fmt.Sprintf("uid-%d", c.versions), "metadata", "uid")
		_ = unstructured.SetNestedField(content, time.Now().UTC().Format(time.RFC3339), "metadata", "creationTimestamp")
	}
	c.objects[path] = content
	return content
}

// patch is server-side apply, as a dry run or not, or a merge patch of an object that is there.
func (c *fakeCluster) patch(r *http.Request, path string, sent map[string]any) (obj any, code int) {
	live := c.content(path)
	apply := strings.HasPrefix(r.Header.Get("Content-Type"), "application/apply-patch")
	want, _, _ := unstructured.NestedString(sent, "metadata", "resourceVersion")
	switch {
	case live == nil && !apply:
		return nil, http.StatusNotFound
	case live != nil && want != "" && want != c.version(path):
		return nil, http.StatusConflict
	case live == nil:
		live = map[string]any{}
	}
	next := runtime.DeepCopyJSON(live)
	if apply {
		take(next, c.applied[path], sent)
	}
	merge(next, sent)
	switch {
	case r.URL.Query().Get("dryRun") != "":
		return next, 0
	case apply:
		c.applied[path] = runtime.DeepCopyJSON(sent)
	}
	if len(live) > 0 && reflect.DeepEqual(live, next) {
		return next, 0
	}
	return c.store(path, next), 0
}

// has says that the cluster has an object.
func (c *fakeCluster) has(path string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.objects[path] != nil
}

// content is an object as a copy in maps; nil when there is none.
func (c *fakeCluster) content(path string) map[string]any {
	obj := c.objects[path]
	if obj == nil {
		return nil
	}
	data, err := json.Marshal(obj)
	if err != nil {
		panic(err)
	}
	content := map[string]any{}
	if err := utiljson.Unmarshal(data, &content); err != nil { // it tells whole numbers from others
		panic(err)
	}
	return content
}

// take removes the fields that were applied before, and are not any more.
func take(from, before, now map[string]any) {
	for key, old := range before {
		value, still := now[key]
		inner, nested := old.(map[string]any)
		switch have, _ := from[key].(map[string]any); {
		case !still:
			delete(from, key)
		case nested && have != nil:
			next, _ := value.(map[string]any)
			take(have, inner, next)
		}
	}
}

// merge puts the fields of a patch into an object. A list is one value, unlike in a real API server, and null removes a field.
func merge(into, patch map[string]any) {
	for key, value := range patch {
		inner, nested := value.(map[string]any)
		switch have, _ := into[key].(map[string]any); {
		case value == nil:
			delete(into, key)
		case nested && have != nil:
			merge(have, inner)
		default:
			into[key] = runtime.DeepCopyJSONValue(value)
		}
	}
}

// collection says that a path names all objects of a resource.
func collection(path string) bool {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	if parts[0] == "api" {
		parts = parts[min(2, len(parts)):]
	} else {
		parts = parts[min(3, len(parts)):]
	}
	return len(parts) == 1 || len(parts) == 3 && parts[0] == "namespaces"
}

// list are the objects of a resource, in one namespace or in all, by the selectors of the request.
func (c *fakeCluster) list(path string, query url.Values) any {
	chosen, err := labels.Parse(query.Get("labelSelector"))
	if err != nil {
		panic(err)
	}
	kind, _ := fields.ParseSelector(query.Get("fieldSelector"))
	at := strings.LastIndex(path, "/")
	items := []any{}
	for _, name := range slices.Sorted(maps.Keys(c.objects)) {
		rest, in := strings.CutPrefix(name, path+"/")
		if all, of := strings.CutPrefix(name, path[:at]+"/namespaces/"); !in && of {
			_, rest, in = strings.Cut(all, path[at:]+"/")
		}
		if !in || rest == "" || strings.Contains(rest, "/") {
			continue
		}
		content := c.content(name)
		u := unstructured.Unstructured{Object: content}
		typed, _, _ := unstructured.NestedString(content, "type")
		if chosen.Matches(labels.Set(u.GetLabels())) && kind.Matches(fields.Set{"type": typed, "metadata.name": u.GetName()}) {
			items = append(items, content)
		}
	}
	return map[string]any{"kind": "List", "apiVersion": "v1", "metadata": map[string]any{}, "items": items}
}

// version is that of an object which was written by a request; empty when there is none.
func (c *fakeCluster) version(path string) string {
	object, ok := c.objects[path].(map[string]any)
	if !ok {
		return ""
	}
	return (&unstructured.Unstructured{Object: object}).GetResourceVersion()
}

// known says whether somebody may ask: everybody for the health and for cluster-info, a token or a certificate of the CA for the rest.
func (c *fakeCluster) known(r *http.Request) bool {
	path := r.URL.Path
	if strings.HasSuffix(path, "/cluster-info") && r.Method == http.MethodGet || path == "/livez" || path == "/readyz" ||
		r.Header.Get("Authorization") == "Bearer "+joinToken {
		return true
	}
	for _, cert := range r.TLS.PeerCertificates {
		if c.signed(cert) && time.Now().Before(cert.NotAfter) {
			return true
		}
	}
	return false
}

// signed says whether a certificate is of the cluster's CA. It remembers those that are: there are hundreds of requests.
func (c *fakeCluster) signed(cert *x509.Certificate) bool {
	id := string(cert.Signature)
	if _, ok := c.trusted.Load(id); ok {
		return true
	}
	if cert.CheckSignatureFrom(c.caCert) != nil {
		return false
	}
	c.trusted.Store(id, true)
	return true
}

// administers says whether somebody may do everything: who is above RBAC, and the administrators once they are bound.
func (c *fakeCluster) administers(r *http.Request) bool {
	in := func(group string) bool {
		return len(r.TLS.PeerCertificates) > 0 && slices.Contains(r.TLS.PeerCertificates[0].Subject.Organization, group)
	}
	return in("system:masters") || in("kubeadm:cluster-admins") && c.objects[adminBinding] != nil && !c.roleless
}

// forbidden says that somebody who is known may not ask: an administrator before the binding. What kubelets and tokens may not is
// for the tests to say.
func (c *fakeCluster) forbidden(r *http.Request) bool {
	asks := strings.HasSuffix(r.URL.Path, "/selfsubjectaccessreviews") || r.URL.Path == "/livez" || r.URL.Path == "/readyz"
	if asks || len(r.TLS.PeerCertificates) == 0 {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Contains(r.TLS.PeerCertificates[0].Subject.Organization, "kubeadm:cluster-admins") && !c.administers(r)
}

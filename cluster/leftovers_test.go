package cluster

import (
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	certificatesv1 "k8s.io/api/certificates/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
)

const (
	nodePath  = "/api/v1/nodes/w1"
	leasePath = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/w1"
	csrPath   = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
)

// keeper is an API server that keeps what belongs to the node w1, by path.
type keeper struct {
	t       *testing.T
	objects map[string]runtime.Object
	// refused are answers to methods and paths, or to methods only; requests are all that came.
	refused  map[string]func(w http.ResponseWriter)
	requests []string
}

// keep is a cluster with a node of this machine: two pods, one of them done, requests for certificates of several nodes and states.
func keep(t *testing.T) (*keeper, *Client) {
	t.Helper()
	k := &keeper{t: t, refused: map[string]func(http.ResponseWriter){}, objects: map[string]runtime.Object{
		nodePath: nodeOf("boot", "machine", "10.0.0.1"),
		leasePath: &coordinationv1.Lease{TypeMeta: typeMeta("coordination.k8s.io/v1", "Lease"),
			ObjectMeta: metav1.ObjectMeta{Namespace: "kube-node-lease", Name: "w1", UID: "lease-uid"}},
	}}
	k.pod("default", "web-1", "w1").Finalizers = []string{"example.com/count"}
	k.pod("kube-system", "job-1", "w1").Status.Phase = corev1.PodSucceeded
	k.pod("default", "web-2", "w2")
	k.csr("csr-first", certificatesv1.KubeAPIServerClientKubeletSignerName, csr(t, "w1", 1, certificatesv1.CertificateDenied))
	rotated := csr(t, "w2", 1) // as long as the user is right, its content is not looked at
	rotated.Spec.Username, rotated.Status.Certificate = "system:node:w1", []byte("x")
	k.csr("csr-rotated", certificatesv1.KubeAPIServerClientKubeletSignerName, rotated)
	k.csr("csr-serving", certificatesv1.KubeletServingSignerName, csr(t, "w1", 1))
	k.csr("csr-other", certificatesv1.KubeAPIServerClientKubeletSignerName, csr(t, "w2", 1, certificatesv1.CertificateDenied))
	k.csr("csr-of-a-user", "example.com/signer", csr(t, "w1", 1))
	return k, serve(t, k.answer)
}

func (k *keeper) pod(namespace, name, node string) *corev1.Pod {
	pod := &corev1.Pod{TypeMeta: typeMeta("v1", "Pod"), ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, UID: types.UID(name + "-uid")}}
	pod.Spec.NodeName = node
	k.objects["/api/v1/namespaces/"+namespace+"/pods/"+name] = pod
	return pod
}

func (k *keeper) csr(name, signer string, c certificatesv1.CertificateSigningRequest) {
	c.TypeMeta, c.Name, c.UID = typeMeta("certificates.k8s.io/v1", "CertificateSigningRequest"), name, types.UID(name+"-uid")
	c.Spec.SignerName = signer
	if c.Spec.Username == "" {
		c.Spec.Username = "system:bootstrap:abcdef"
	}
	k.objects[csrPath+"/"+name] = &c
}

func (k *keeper) forbid(request string) {
	k.refused[request] = func(w http.ResponseWriter) { refuse(w, 403, "Forbidden", "you may not") }
}

func (k *keeper) answer(w http.ResponseWriter, r *http.Request) {
	asked := r.Method + " " + r.URL.Path
	k.requests = append(k.requests, asked)
	for _, refused := range []string{asked, r.Method} {
		if answer := k.refused[refused]; answer != nil {
			answer(w)
			return
		}
	}
	body, _ := io.ReadAll(r.Body)
	object := k.objects[strings.TrimSuffix(r.URL.Path, "/status")]
	switch selector := r.URL.Query().Get("fieldSelector"); {
	case selector != "":
		k.list(w, r.URL.Path, selector)
	case object == nil:
		refuse(w, 404, "NotFound", "it is not there")
	case r.Method == http.MethodDelete:
		k.delete(w, r.URL.Path, body)
	default:
		if r.Method == http.MethodPatch {
			k.requests[len(k.requests)-1] += " " + r.Header.Get("Content-Type") + " " + string(body)
		}
		data, err := json.Marshal(object)
		if err != nil {
			k.t.Error(err)
		}
		echo(w, data)
	}
}

// list answers by the field selector, as the API server does.
func (k *keeper) list(w http.ResponseWriter, path, selector string) {
	field, value, _ := strings.Cut(selector, "=")
	found := unstructured.UnstructuredList{Object: map[string]any{"apiVersion": "v1", "kind": "List"}}
	for _, at := range slices.Sorted(maps.Keys(k.objects)) {
		content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(k.objects[at])
		if err != nil {
			k.t.Error(err)
		}
		have, _, _ := unstructured.NestedString(content, strings.Split(field, ".")...)
		if inside := strings.HasPrefix(at, path+"/") || path == "/api/v1/pods" && strings.Contains(at, "/pods/"); inside && have == value {
			found.Items = append(found.Items, unstructured.Unstructured{Object: content})
		}
	}
	data, err := found.MarshalJSON()
	if err != nil {
		k.t.Error(err)
	}
	echo(w, data)
}

// delete takes only what says which object it means, and gives pods no time.
func (k *keeper) delete(w http.ResponseWriter, path string, body []byte) {
	var o metav1.DeleteOptions
	if err := json.Unmarshal(body, &o); err != nil {
		k.t.Error(err)
	}
	object := k.objects[path].(metav1.Object)
	if o.Preconditions == nil || o.Preconditions.UID == nil || ptr.Deref(o.GracePeriodSeconds, 9) != 0 {
		k.t.Errorf("%s: %s", path, body)
		return
	}
	if *o.Preconditions.UID != object.GetUID() {
		refuse(w, 409, "Conflict", "the UID in the precondition does not match")
		return
	}
	if len(object.GetFinalizers()) > 0 {
		object.SetDeletionTimestamp(&metav1.Time{Time: time.Unix(0, 0)})
		object.SetDeletionGracePeriodSeconds(o.GracePeriodSeconds)
	} else {
		delete(k.objects, path)
	}
	echo(w, []byte(`{"kind":"Status","apiVersion":"v1","status":"Success"}`))
}

func all() []string {
	return []string{"Node w1", "Lease kube-node-lease/w1", "Pod default/web-1", "Pod kube-system/job-1",
		"CertificateSigningRequest csr-first", "CertificateSigningRequest csr-rotated", "CertificateSigningRequest csr-serving"}
}

// TestNodeLeftovers: everything of the node and nothing else, in five requests that change nothing.
func TestNodeLeftovers(t *testing.T) {
	k, c := keep(t)
	left, err := c.NodeLeftovers(t.Context(), "w1", ownMachine())
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(all(), left); d != "" {
		t.Error(d)
	}
	if len(k.requests) != 5 || slices.ContainsFunc(k.requests, func(r string) bool { return !strings.HasPrefix(r, "GET ") }) {
		t.Errorf("asked %q", k.requests)
	}
	k.objects = map[string]runtime.Object{}
	if left, err := c.NodeLeftovers(t.Context(), "w1", ownMachine()); err != nil || len(left) > 0 {
		t.Errorf("left %q, %v", left, err)
	}
}

// TestNodeLeftoversWithoutNode: what has its name counts, but a request that waits may be that of a machine that is joining.
func TestNodeLeftoversWithoutNode(t *testing.T) {
	k, c := keep(t)
	delete(k.objects, nodePath)
	left, err := c.NodeLeftovers(t.Context(), "w1", Machine{})
	if d := cmp.Diff(all()[1:6], left); d != "" || err != nil {
		t.Errorf("%v\n%s", err, d)
	}
}

// TestNodeLeftoversLeaving: a pod that waits for its kubelet is left, what waits for a finalizer is not.
func TestNodeLeftoversLeaving(t *testing.T) {
	k, c := keep(t)
	k.objects = map[string]runtime.Object{nodePath: nodeOf("boot", "machine")}
	for name, grace := range map[string]int64{"waits-for-kubelet": 30, "waits-for-finalizer": 0} {
		pod := k.pod("default", name, "w1")
		pod.DeletionTimestamp, pod.DeletionGracePeriodSeconds = &metav1.Time{Time: time.Unix(0, 0)}, &grace
	}
	node := k.objects[nodePath].(*corev1.Node)
	node.DeletionTimestamp, node.DeletionGracePeriodSeconds = &metav1.Time{Time: time.Unix(0, 0)}, ptr.To[int64](0)
	left, err := c.NodeLeftovers(t.Context(), "w1", ownMachine())
	if d := cmp.Diff([]string{"Pod default/waits-for-kubelet"}, left); d != "" || err != nil {
		t.Errorf("%v\n%s", err, d)
	}
}

// TestNodeLeftoversUnseen: what may not be listed does not hide the rest; an answer of another kind does, and ends the questions.
func TestNodeLeftoversUnseen(t *testing.T) {
	k, c := keep(t)
	k.forbid("GET /api/v1/pods")
	left, err := c.NodeLeftovers(t.Context(), "w1", ownMachine())
	want := slices.Concat(all()[:2], all()[4:])
	if d := cmp.Diff(want, left); d != "" || err == nil || !strings.Contains(err.Error(), "cannot list the pods of Node w1: you may not") {
		t.Errorf("%v\n%s", err, d)
	}
	k, c = keep(t)
	k.refused["GET /api/v1/pods"] = func(w http.ResponseWriter) { refuse(w, 400, "BadRequest", "no") }
	if left, err = c.NodeLeftovers(t.Context(), "w1", ownMachine()); len(left) != 2 || err == nil || len(k.requests) != 3 {
		t.Errorf("%v, %q, asked %q", err, left, k.requests)
	}
	k, c = keep(t)
	k.forbid("GET " + nodePath)
	if left, err = c.NodeLeftovers(t.Context(), "w1", ownMachine()); len(left) != 0 || err == nil || len(k.requests) != 1 {
		t.Errorf("nobody knows whose it is: %v, %q", err, left)
	}
}

// TestNodeLeftoversOfAnother: nothing is named that is another machine's.
func TestNodeLeftoversOfAnother(t *testing.T) {
	k, c := keep(t)
	k.objects[nodePath] = nodeOf("there", "other", "10.0.0.2")
	left, err := c.NodeLeftovers(t.Context(), "w1", ownMachine())
	var other *OtherMachineError
	if !errors.As(err, &other) || other.Node != "w1" || len(left) > 0 || len(k.requests) != 1 {
		t.Errorf("%v, %q, asked %q", err, left, k.requests)
	}
}

package bench

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubewright/kubewright/test/bed"
)

func event(agent, verb, uri string, code int) bed.AuditEvent {
	e := bed.AuditEvent{UserAgent: agent, Verb: verb, RequestURI: uri}
	e.User.Username, e.ResponseStatus.Code = "somebody", code
	return e
}

// A tool is told from its kubelet, and from a program whose name begins with its own.
func TestRequestsOf(t *testing.T) {
	events := []bed.AuditEvent{
		event("kubewright", "get", "/a", 200), event("kubelet/v1.37.2 (linux/amd64) kubernetes/1", "get", "/b", 200),
		event("kubeadm/v1.37.2 (linux/amd64) kubernetes/1", "get", "/c", 404), event("kubeadm-more/v1", "get", "/d", 200),
		event("kubewright/v1", "watch", "/e", 200), event("", "get", "/f", 401),
	}
	for program, want := range map[string][]Request{
		"kubewright": {{"get", "/a", "somebody", 200}, {"watch", "/e", "somebody", 200}},
		"kubeadm":    {{"get", "/c", "somebody", 404}},
		"kubectl":    nil,
	} {
		if diff := cmp.Diff(want, RequestsOf(program, events)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", program, diff)
		}
	}
}

func TestKinds(t *testing.T) {
	requests := []Request{
		{"get", "/api/v1/nodes/sim-10-1", "u", 404}, {"get", "/x", "u", 200}, {"get", "/api/v1/nodes/sim-10-2", "u", 404},
		{"get", "/api/v1/nodes/sim-10-2", "u", 200}, {"watch", "/api/v1/nodes?fieldSelector=metadata.name%3Dsim-10-1&watch=true", "u", 200},
	}
	want := []Kind{
		{2, "get", "/api/v1/nodes/*", 404}, {1, "get", "/api/v1/nodes/*", 200},
		{1, "watch", "/api/v1/nodes?fieldSelector=metadata.name%3D*&watch=true", 200}, {1, "get", "/x", 200},
	}
	if diff := cmp.Diff(want, Kinds(requests, "sim-")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if all := Kinds(requests, ""); len(all) != 5 {
		t.Errorf("without a prefix names are told apart: %v", all)
	}
}

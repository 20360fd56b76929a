package phases

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/cluster-bootstrap/token/jws"

	"github.com/kubewright/kubewright/host/hosttest"
	"github.com/kubewright/kubewright/plan"
)

// TestClusterInfoSigned: a join with a token that is for signing finds cluster-info signed; others leave nothing there.
func TestClusterInfoSigned(t *testing.T) {
	const tokens = "bootstrapTokens:\n- {token: abcdef.0123456789abcdef}\n- {token: aaaaaa.0123456789abcdef, usages: [authentication]}\n"
	f := facts(t, hosttest.New(t), minimal+tokens)
	if _, err := f.PKI.Files("ca"); err != nil {
		t.Fatal(err)
	}
	steps, err := bootstrapToken().Steps(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range steps {
		o, ok := s.(plan.Object)
		if !ok {
			continue
		}
		info, ok := o.Obj.(*corev1.ConfigMap)
		if !ok {
			continue
		}
		if len(info.Data) != 2 || !jws.DetachedTokenIsValid(info.Data["jws-kubeconfig-abcdef"], info.Data["kubeconfig"], "abcdef", "0123456789abcdef") ||
			!o.KeepExisting {
			t.Errorf("%v", info.Data)
		}
		return
	}
	t.Error("no cluster-info")
}

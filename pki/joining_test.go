package pki

import (
	"crypto/rand"
	"strings"
	"testing"
)

// TestJoiningExternalCA: where somebody else signs, another control plane needs neither super-admin.conf, which only the first one
// has, nor kubelet.conf, for which its kubelet asks the cluster.
func TestJoiningExternalCA(t *testing.T) {
	d, c := newDisk(), loadConfig(t, plain)
	files := all(t, d.set(t, c, now))
	d.write(files, len(files))
	delete(d.files, "/etc/kubernetes/pki/ca.key")
	delete(d.files, "/etc/kubernetes/super-admin.conf")
	delete(d.files, "/etc/kubernetes/kubelet.conf")
	for _, joining := range []bool{true, false} {
		s := Plan(Input{Config: c, Read: d.read, Now: now, Rand: rand.Reader, Joining: joining})
		_, err := s.Files("ca")
		if joining && err != nil || !joining && (err == nil || !strings.Contains(err.Error(), "super-admin.conf")) {
			t.Errorf("joining %v: %v", joining, err)
		}
		if !s.ExternalCA() {
			t.Error("the CA is not taken for somebody else's")
		}
	}
	delete(d.files, "/etc/kubernetes/scheduler.conf")
	if _, err := Plan(Input{Config: c, Read: d.read, Now: now, Rand: rand.Reader, Joining: true}).Files("ca"); err == nil ||
		!strings.Contains(err.Error(), "scheduler.conf") {
		t.Errorf("without scheduler.conf: %v", err)
	}
}

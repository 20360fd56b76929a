package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/kubewright/kubewright/test/bed"
)

func staticPod(name string) string {
	return fmt.Sprintf(`apiVersion: v1
kind: Pod
metadata:
  name: %s
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - name: sleep
    image: %s
    command: [/bin/sleep, "3600"]
`, name, bed.ToolImage)
}

// pod says how a pod is seen through the API: its phase, "" when it is not there, or an error.
func pod(m *bed.Machine, name string) string {
	out, ok := kubectl(m, "get", "pod", name, "--ignore-not-found", "-o", "jsonpath={.status.phase}")
	if !ok {
		return "unknown: " + out
	}
	return out
}

func waitPod(t *testing.T, m *bed.Machine, name, phase string) {
	t.Helper()
	eventually(t, 2*time.Minute, func() string {
		if got := pod(m, name); got != phase {
			return fmt.Sprintf("pod %s is %q, want %q", name, got, phase)
		}
		return ""
	})
}

// container is the ID of the running container of a component.
func container(t *testing.T, m *bed.Machine, component string) string {
	t.Helper()
	return m.Kubectl(t, "-n", "kube-system", "get", "pod", component+"-cp1", "-o", "jsonpath={.status.containerStatuses[0].containerID}")
}

// configHash is what the kubelet knows a static pod's manifest by.
func configHash(t *testing.T, m *bed.Machine, component string) string {
	t.Helper()
	return m.Kubectl(t, "-n", "kube-system", "get", "pod", component+"-cp1", "-o", `jsonpath={.metadata.annotations.kubernetes\.io/config\.hash}`)
}

// checkStaticPods uses static pods as people do.
func checkStaticPods(t *testing.T, m *bed.Machine) {
	manifest := "/etc/kubernetes/manifests/sleeper.yaml"
	m.WriteFile(t, manifest, staticPod("sleeper"), 0o600)
	waitPod(t, m, "sleeper-cp1", "Running")

	m.Remove(t, manifest)
	waitPod(t, m, "sleeper-cp1", "")

	mirror(t, m)
	changedCertificate(t, m)
}

// secondFolder makes the kubelet read another folder, by the file that distributions keep for its flags. The kubelet reads
// one folder only, so that the other one holds the control plane, too. There is no way back in this test: a kubelet whose API
// server goes down in the middle of such a change waits for it before it ends the pods of the first folder.
func secondFolder(t *testing.T, m *bed.Machine) {
	const folder = "/etc/kubernetes/more"
	for _, component := range controlPlane {
		m.WriteFile(t, folder+"/"+component+".yaml", m.ReadFile(t, "/etc/kubernetes/manifests/"+component+".yaml"), 0o600)
	}
	m.WriteFile(t, folder+"/other.yaml", staticPod("other"), 0o600)
	m.WriteFile(t, "/etc/default/kubelet", "KUBELET_EXTRA_ARGS=--pod-manifest-path="+folder+"\n", 0o644)
	m.MustRun(t, "systemctl", "restart", "kubelet")
	waitPod(t, m, "other-cp1", "Running")
}

// mirror deletes the mirror pod of the scheduler: it comes back, and the container has not noticed. The kubelet may notice only
// when it looks at the pod again by itself, which it does every 60 to 90 s.
func mirror(t *testing.T, m *bed.Machine) {
	before := container(t, m, "kube-scheduler")
	uid := m.Kubectl(t, "-n", "kube-system", "get", "pod", "kube-scheduler-cp1", "-o", "jsonpath={.metadata.uid}")
	m.Kubectl(t, "-n", "kube-system", "delete", "pod", "kube-scheduler-cp1", "--wait=false")
	eventually(t, 3*time.Minute, func() string {
		now, ok := kubectl(m, "-n", "kube-system", "get", "pod", "kube-scheduler-cp1", "-o", "jsonpath={.metadata.uid} {.status.phase}")
		if !ok || strings.HasPrefix(now, uid) || !strings.HasSuffix(now, "Running") {
			return "the mirror pod is not back: " + now
		}
		return ""
	})
	if after := container(t, m, "kube-scheduler"); after != before {
		t.Errorf("deleting the mirror pod restarted the static pod: %s, then %s", before, after)
	}
}

// changedCertificate takes a certificate away that the API server mounts: kubewright makes another, and the kubelet restarts
// the pod, because its manifest says so. The other pods stay the same; that one of their processes ends while it can't reach
// the API server is its own decision.
func changedCertificate(t *testing.T, m *bed.Machine) {
	server, scheduler := container(t, m, "kube-apiserver"), configHash(t, m, "kube-scheduler")
	m.Remove(t, "/etc/kubernetes/pki/apiserver-kubelet-client.crt")
	m.Remove(t, "/etc/kubernetes/pki/apiserver-kubelet-client.key")
	r := run(m, "kubewright", "init", "--config", configPath)
	if r.code != 0 {
		t.Fatalf("exit code %d\n%s%s", r.code, r.out, r.err)
	}
	eventually(t, time.Minute, func() string {
		if container(t, m, "kube-apiserver") == server {
			return "the API server still has its old certificate"
		}
		return ""
	})
	if configHash(t, m, "kube-scheduler") != scheduler {
		t.Error("the scheduler's pod was changed, too")
	}
	ready(t, m)
}

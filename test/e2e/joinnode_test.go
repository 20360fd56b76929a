package e2e

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/kubewright/kubewright/test/bed"
)

const (
	joinPath   = "/root/join.yaml"
	patchesDir = "/root/patches"
)

// writeJoin writes a configuration for the machine to join with, as node name, with more settings of nodeRegistration, and patches
// for the kubelet.
func writeJoin(t *testing.T, m *bed.Machine, args []string, name, registration string) {
	t.Helper()
	text := strings.Replace(bed.JoinConfig(m, args), "nodeRegistration:\n  name: "+m.Name+"\n",
		"nodeRegistration:\n  name: "+name+"\n"+registration, 1) + "patches: {directory: " + patchesDir + "}\n"
	m.WriteFile(t, joinPath, text, 0o600)
	m.WriteFile(t, patchesDir+"/kubeletconfiguration+merge.yaml", "maxPods: 55\n", 0o644)
}

// checkNode reads a Node and the kubelet's files on its machine.
func checkNode(t *testing.T, cp, m *bed.Machine, name string, labels map[string]string) *corev1.Node {
	t.Helper()
	nodeReady(t, cp, name)
	node := &corev1.Node{}
	if err := json.Unmarshal([]byte(cp.Kubectl(t, "get", "node", name, "-o", "json")), node); err != nil {
		t.Fatal(err)
	}
	for k, v := range labels {
		if have, ok := node.Labels[k]; !ok || have != v {
			t.Errorf("label %s of node %s is %q, want %q", k, name, have, v)
		}
	}
	if pods := node.Status.Capacity.Pods().Value(); pods != 55 {
		t.Errorf("node %s takes %d pods, want 55, as patched", name, pods)
	}
	if text := m.ReadFile(t, "/var/lib/kubelet/config.yaml"); !strings.Contains(text, "maxPods: 55\n") {
		t.Errorf("no patch in the kubelet's configuration:\n%s", text)
	}
	if text := m.ReadFile(t, "/var/lib/kubelet/instance-config.yaml"); text != "containerRuntimeEndpoint: \"unix:///var/run/containerd/containerd.sock\"\n" {
		t.Errorf("instance-config.yaml:\n%s", text)
	}
	return node
}

// tainted says whether the node has a taint.
func tainted(node *corev1.Node, key string, effect corev1.TaintEffect) bool {
	return slices.ContainsFunc(node.Spec.Taints, func(t corev1.Taint) bool { return t.Key == key && t.Effect == effect })
}

// kubeadmReset gives a node back as its users do with real kubeadm.
func kubeadmReset(t *testing.T, cp, m *bed.Machine, name string) {
	t.Helper()
	m.MustRun(t, "kubeadm", "reset", "-f")
	cp.Kubectl(t, "delete", "node", name)
}

// configuredWorker joins a worker as a file says, and again after kubeadm gave it back.
func (j joining) configuredWorker(t *testing.T) {
	m := j.lab.Machine(t, bed.Spec{Name: "w1"})
	writeJoin(t, m, j.worker, "configured", `  kubeletExtraArgs: [{name: node-labels, value: "example.com/zone=a,example.com/disk="}]
  taints: [{key: example.com/dedicated, value: gpu, effect: NoSchedule}]
  ignorePreflightErrors: [FileContent--proc-sys-net-ipv4-ip_forward]
  imagePullPolicy: Never
`)
	check := func() {
		node := checkNode(t, j.cp, m, "configured", map[string]string{"example.com/zone": "a", "example.com/disk": "", "kubernetes.io/hostname": "configured"})
		if !tainted(node, "example.com/dedicated", corev1.TaintEffectNoSchedule) {
			t.Errorf("taints of the worker: %v", node.Spec.Taints)
		}
	}
	m.MustRun(t, "sh", "-c", "echo 0 > /proc/sys/net/ipv4/ip_forward") // the CNI plugin switches it on again
	if said := joinNow(t, m, "--config", joinPath); !strings.Contains(said, "[WARNING FileContent--proc-sys-net-ipv4-ip_forward]") || !strings.Contains(said, "(ignored)") {
		t.Errorf("no word about an error that is ignored:\n%s", said)
	}
	check()
	kubeadmReset(t, j.cp, m, "configured")
	joinNow(t, m, "--config", joinPath)
	check()
}

// configuredControlPlane joins a control plane as a file says. After kubeadm gave it back, it comes again under its name with the
// shared files copied by hand and without a certificate key, and finds the cluster by an administrator's kubeconfig.
func (j joining) configuredControlPlane(t *testing.T) {
	m := j.lab.Machine(t, bed.Spec{Name: "cp2"})
	before := members(t, j.cp)
	m.WriteFile(t, patchesDir+"/kube-apiserver1+json.json", `[{"op": "add", "path": "/spec/containers/0/command/-", "value": "--v=1"}]`, 0o644)
	write := func(args []string) {
		writeJoin(t, m, args, "cp2", `  kubeletExtraArgs: [{name: node-labels, value: "example.com/zone=b"}]
  taints: []
  imagePullPolicy: IfNotPresent
`)
	}
	check := func() {
		node := checkNode(t, j.cp, m, "cp2", map[string]string{"example.com/zone": "b", "node-role.kubernetes.io/control-plane": ""})
		if tainted(node, "node-role.kubernetes.io/control-plane", corev1.TaintEffectNoSchedule) {
			t.Errorf("taints of the control plane, which were to be none: %v", node.Spec.Taints)
		}
		if text := m.ReadFile(t, "/etc/kubernetes/manifests/kube-apiserver.yaml"); !strings.Contains(text, "- --v=1\n") {
			t.Errorf("no patch in the manifest of the API server:\n%s", text)
		}
		voters(t, j.cp, before+1)
	}
	write(j.controlPlane)
	token := flag(t, j.worker, "--token")
	keepsSecrets(t, m, []string{flag(t, j.controlPlane, "--certificate-key"), token, token[7:]}, "--config", joinPath)
	check()
	kubeadmReset(t, j.cp, m, "cp2")
	voters(t, j.cp, before)
	for _, file := range []string{"ca.crt", "ca.key", "sa.key", "sa.pub", "front-proxy-ca.crt", "front-proxy-ca.key", "etcd/ca.crt", "etcd/ca.key"} {
		m.WriteFile(t, "/etc/kubernetes/pki/"+file, j.cp.ReadFile(t, "/etc/kubernetes/pki/"+file), 0o600)
	}
	write(append(slices.Clone(j.worker), "--control-plane"))
	byFile(t, m, j.cp.ReadFile(t, "/etc/kubernetes/admin.conf"))
	if last := joinEvents(t, m, "--config", joinPath); last.Event != "result" || last.Node != "cp2" || last.Next.Kubeconfig != "/etc/kubernetes/admin.conf" {
		t.Errorf("the last event: %+v", last)
	}
	joinNow(t, m, "--config", joinPath)
	check()
}

// byFile makes the configuration find the cluster by a kubeconfig, which names the files of a client certificate beside it.
func byFile(t *testing.T, m *bed.Machine, kubeconfig string) {
	t.Helper()
	kc, err := clientcmd.Load([]byte(kubeconfig))
	if err != nil {
		t.Fatal(err)
	}
	for _, user := range kc.AuthInfos {
		m.WriteFile(t, "/root/client.crt", string(user.ClientCertificateData), 0o644)
		m.WriteFile(t, "/root/client.key", string(user.ClientKeyData), 0o600)
		user.ClientCertificateData, user.ClientKeyData, user.ClientCertificate, user.ClientKey = nil, nil, "client.crt", "/root/client.key"
	}
	text, err := clientcmd.Write(*kc)
	if err != nil {
		t.Fatal(err)
	}
	m.WriteFile(t, "/root/cluster.conf", string(text), 0o600)
	before, rest, _ := strings.Cut(m.ReadFile(t, joinPath), "discovery:\n")
	_, after, _ := strings.Cut(rest, "nodeRegistration:\n")
	m.WriteFile(t, joinPath, before+"discovery: {file: {kubeConfigPath: /root/cluster.conf}}\nnodeRegistration:\n"+after, 0o600)
}

// members counts the members of etcd that run as pods.
func members(t *testing.T, cp *bed.Machine) int {
	t.Helper()
	return strings.Count(cp.Kubectl(t, "-n", "kube-system", "get", "pods", "-l", "component=etcd", "-o", "name"), "pod/")
}

// phase runs one phase of join.
func phase(t *testing.T, m *bed.Machine, name string, args ...string) {
	t.Helper()
	began := time.Now()
	m.MustRun(t, slices.Concat([]string{"kubewright", "join", "phase"}, strings.Fields(name), args)...)
	t.Logf("join phase %s took %s", name, time.Since(began).Round(10*time.Millisecond))
}

// workerByPhases runs the phases one by one, each with what kubeadm's phase of that name takes.
func (j joining) workerByPhases(t *testing.T) {
	m := j.lab.Machine(t, bed.Spec{Name: "w2"})
	named := append(slices.Clone(j.worker), "--node-name", "by-phases")
	phase(t, m, "preflight", named...)
	phase(t, m, "kubelet-start", named...)
	phase(t, m, "kubelet-wait-bootstrap")
	nodeReady(t, j.cp, "by-phases")
	joinNow(t, m, named...)
}

// controlPlaneByPhases is the same for a control plane.
func (j joining) controlPlaneByPhases(t *testing.T) {
	m := j.lab.Machine(t, bed.Spec{Name: "cp3"})
	before := members(t, j.cp)
	key := slices.Index(j.controlPlane, "--certificate-key")
	keyless := slices.Delete(slices.Clone(j.controlPlane), key, key+2)
	phase(t, m, "preflight", j.controlPlane...)
	phase(t, m, "control-plane-prepare download-certs", j.controlPlane...)
	phase(t, m, "control-plane-prepare certs", keyless...)
	phase(t, m, "control-plane-prepare kubeconfig", keyless...)
	phase(t, m, "control-plane-prepare control-plane", "--control-plane")
	phase(t, m, "check-etcd", "--control-plane")
	phase(t, m, "kubelet-start", keyless...)
	phase(t, m, "etcd-join", "--control-plane")
	phase(t, m, "kubelet-wait-bootstrap", "--control-plane")
	phase(t, m, "control-plane-join mark-control-plane", "--control-plane")
	phase(t, m, "wait-control-plane", "--control-plane")
	nodeReady(t, j.cp, "cp3")
	voters(t, j.cp, before+1)
	joinNow(t, m, j.controlPlane...)
}

// deadMachine replaces a worker that lost its power by another machine under its name.
func (j joining) deadMachine(t *testing.T) {
	machines := j.lab.MachinesAtOnce(t, bed.Spec{Name: "w3"}, bed.Spec{Name: "w4"})
	joinNow(t, machines[0], j.worker...)
	nodeReady(t, j.cp, "w3")
	if err := machines[0].PowerOff(); err != nil {
		t.Fatal(err)
	}
	ready := func(want string) {
		t.Helper()
		eventually(t, 2*time.Minute, func() string {
			state, _ := kubectl(j.cp, "get", "node", "w3", "-o", `jsonpath={.status.conditions[?(@.type=="Ready")].status} {.status.addresses[0].address}`)
			if state != want {
				return "node w3 is " + state + ", want " + want
			}
			return ""
		})
	}
	ready("Unknown " + machines[0].IP())
	said := joinNow(t, machines[1], append(slices.Clone(j.worker), "--node-name", "w3")...)
	if !strings.Contains(said, "this machine takes its place") {
		t.Errorf("no word about the dead machine:\n%s", said)
	}
	ready("True " + machines[1].IP())
}

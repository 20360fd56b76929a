package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/kubewright/kubewright/host"
	"github.com/kubewright/kubewright/test/bed"
)

// failures are the reasons why a control plane does not start.
func failures(m *bed.Machine) []failure {
	// ofOther mounts what /root/other has where a component's arguments can name it.
	ofOther := func(component, args string) string {
		return component + ":\n  extraVolumes: [{name: other, hostPath: /root/other/etc/kubernetes/pki, mountPath: /other}]\n  extraArgs: [" + args + "]\n"
	}
	const mendFlag = ".extraArgs, or in the patch that it comes from"
	return []failure{
		{name: "missing image", patches: map[string]string{"kube-scheduler.yaml": container1("kube-scheduler",
			"image: 'registry.k8s.io/kube-scheduler:v0.0.1'")},
			cause: "kube-scheduler does not start: its image can't be pulled",
			line:  `unpack image "registry.k8s.io/kube-scheduler:v0.0.1"`, hint: "pull the image, or mend its name",
			seen: inJournal("with ErrImagePull")},
		{name: "wrong flag", extra: "apiServer: {extraArgs: [{name: no-such-flag, value: x}]}\n",
			cause: "kube-apiserver ended with exit code 1: it does not know a flag", line: "unknown flag: --no-such-flag",
			hint: "apiServer" + mendFlag,
			seen: inLog("kube-apiserver", "unknown flag")},
		{name: "wrong value", extra: "etcd: {local: {extraArgs: [{name: snapshot-count, value: many}]}}\n",
			cause: "etcd ended with exit code 2: a flag has a value that it does not take",
			line:  `invalid value "many" for flag -snapshot-count`, hint: "etcd.local" + mendFlag,
			seen: inLog("etcd", "invalid value")},
		{name: "port of the API server taken", prepare: server(m, "6443"),
			cause: "kube-apiserver ended with exit code 1: port 6443 is taken by busybox (pid ",
			line:  "listen tcp 0.0.0.0:6443: bind: address already in use", hint: "end that process", seen: inLog("kube-apiserver",
				"address already in use")},
		{name: "port of the scheduler taken", prepare: server(m, "10259"),
			cause: "kube-scheduler ended with exit code 1: port 10259 is taken by busybox (pid ",
			line:  "listen tcp 127.0.0.1:10259: bind: address already in use", hint: "end that process",
			seen: inLog("kube-scheduler", "address already in use")},
		{name: "data of another etcd", prepare: otherEtcd(m), reset: []string{"--force-data-loss"},
			cause: "etcd runs, but its data is of a cluster of several members, and the others do not answer",
			line:  "failed to publish local member to cluster through raft", hint: "move its data directory away",
			seen: inLog("etcd", "failed to publish local member")},
		{name: "certificate of another CA", extra: ofOther("apiServer",
			"{name: tls-cert-file, value: /other/apiserver.crt}, {name: tls-private-key-file, value: /other/apiserver.key}"),
			cause: "kube-apiserver runs, but its certificate is not to be trusted",
			line:  "x509: certificate signed by unknown authority", hint: "must be of the cluster's CA",
			seen: inJournal("6443.*x509: certificate signed by unknown authority")},
		{name: "etcd of another CA", extra: ofOther("apiServer", "{name: etcd-cafile, value: /other/etcd/ca.crt}"),
			cause: "kube-apiserver runs, but it and etcd do not trust each other's certificates",
			line:  "x509: certificate signed by unknown authority", hint: "must be of the CA in etcd/ca.crt",
			seen: inLog("kube-apiserver", "x509: ")},
		{name: "unreadable key", extra: ofOther("apiServer", "{name: tls-private-key-file, value: /other/bad.key}"),
			cause: "kube-apiserver ended with exit code 1: a certificate or key is no good",
			line:  "tls: failed to find any PEM data in key input", hint: "it makes again once it is removed",
			seen: inLog("kube-apiserver", "failed to find any PEM data")},
		{name: "wrong cgroup driver", prepare: otherDriver(m),
			cause: "does not start: the container runtime and the kubelet use different cgroup drivers",
			line:  `expected cgroupsPath to be of format "slice:prefix:name" for systemd cgroups`, hint: "SystemdCgroup",
			seen: inJournal("Error syncing pod.*expected cgroupsPath")},
		{name: "full disk", prepare: smallDisk(m), cause: "etcd ended with exit code 2: the disk is full",
			line: "failed to create WAL: no space left on device", hint: "make room",
			seen: inLog("etcd", "no space left on device")},
		{name: "unreachable etcd", args: []string{"--skip-phases", "preflight"}, extra: "etcd: {external: {endpoints: ['http://" + m.IP() + ":2379']}}\n",
			cause: "kube-apiserver ended with exit code 1: etcd does not answer",
			line:  "etcd grpc connection not ready: context deadline exceeded", hint: "etcd.external.endpoints",
			seen: inLog("kube-apiserver", "etcd grpc connection not ready")},
		{name: "no runtime at the socket", edit: func(s string) string {
			return strings.Replace(s, "nodeRegistration:", "nodeRegistration:\n  criSocket: unix:///run/none.sock", 1)
		}, cause: "the kubelet ended (exit-code, status 1): there is no container runtime at its socket",
			line: "dial unix /run/none.sock: connect: no such file or directory",
			hint: "set nodeRegistration.criSocket", seen: inJournal("none.sock: connect: no such file")},
		{name: "something else at the socket",
			patches: map[string]string{"kubeletconfiguration.yaml": "containerRuntimeEndpoint: unix:///run/dbus/system_bus_socket\n"},
			cause:   "the kubelet ended (exit-code, status 1): there is no container runtime at its socket",
			line:    "run/dbus/system_bus_socket", hint: "leave containerRuntimeEndpoint out", // how it breaks off is a matter of chance
			seen: inJournal("failed to run Kubelet: validate service connection")},
		{name: "memory limit", patches: map[string]string{"kube-apiserver.yaml": container1("kube-apiserver",
			"resources: {limits: {memory: 40Mi}}")},
			cause: "kube-apiserver ended with exit code 137 (OOMKilled): it needs more memory than it may have",
			line:  "OOMKilled", hint: "memory limit in the patch",
			seen: byRuntime("kube-apiserver", "OOMKilled")},
		{name: "kubelet's configuration",
			patches: map[string]string{"kubeletconfiguration.yaml": "evictionHard: {memory.available: lots}\n"},
			cause:   "the kubelet ended (exit-code, status 1): ", line: "quantities must match the regular expression",
			hint: "look at its configuration", seen: inJournal("quantities must match")},
		{name: "kubelet's flag", prepare: func(t *testing.T) func() {
			return file(m, "/etc/default/kubelet",
				"KUBELET_EXTRA_ARGS=--no-such-flag\n")(t)
		},
			cause: "the kubelet ended (exit-code, status 1): it does not know a flag", line: "unknown flag: --no-such-flag",
			hint: "/etc/default/kubelet", seen: inJournal("unknown flag")},
	}
}

// joinFailures are reasons why a machine does not become another control plane.
func joinFailures(m *bed.Machine) []failure {
	return []failure{
		{name: "wrong flag", patches: map[string]string{"kube-apiserver+json.yaml": "- {op: add, path: /spec/containers/0/command/-, value: --no-such-flag}\n"},
			cause: "kube-apiserver ended with exit code 1: it does not know a flag", line: "unknown flag: --no-such-flag",
			hint: "or in the patch that it comes from", seen: inLog("kube-apiserver", "unknown flag"),
			within: 15 * time.Second}, // etcd's member is brought to its vote first: half a member helps nobody
		{name: "port of etcd taken", prepare: server(m, "2380"),
			cause: "etcd ended with exit code 1: port 2380 is taken by busybox (pid ",
			line:  "2380: bind: address already in use", hint: "end that process", seen: inLog("etcd", "address already in use")},
	}
}

// container1 is a patch for the container of a static pod.
func container1(name, field string) string {
	return "spec: {containers: [{name: " + name + ", " + field + "}]}\n"
}

// server is another process at a port. It goes on after the first connection.
func server(m *bed.Machine, port string) func(*testing.T) func() {
	return func(t *testing.T) func() {
		m.MustRun(t, "systemd-run", "--unit=server", "busybox", "httpd", "-f", "-p", port)
		eventually(t, 10*time.Second, func() string {
			if out := run(m, "busybox", "netstat", "-ltn"); !strings.Contains(out.out, ":"+port) {
				return out.out + out.err
			}
			return ""
		})
		return func() { m.MustRun(t, "systemctl", "stop", "server") }
	}
}

// otherEtcd leaves the data of a member of a cluster of two.
func otherEtcd(m *bed.Machine) func(*testing.T) func() {
	const script = `mkdir -p /var/lib/etcd /root/second
start() {
	timeout 6 ctr -n k8s.io run --rm --net-host --mount "type=bind,src=$2,dst=$2,options=rbind:rw" registry.k8s.io/etcd:3.7.0-0 "$1" /usr/local/bin/etcd \
		--name "$1" --data-dir "$2" --listen-client-urls "http://127.0.0.1:$4" --advertise-client-urls "http://127.0.0.1:$4" \
		--listen-peer-urls "http://127.0.0.1:$3" --initial-advertise-peer-urls "http://127.0.0.1:$3" \
		--initial-cluster one=http://127.0.0.1:12380,two=http://127.0.0.1:12381 > "/root/$1.log" 2>&1
}
start one /var/lib/etcd 12380 12390 & start two /root/second 12381 12391; wait
rm -rf /root/second
grep -q 'published local member' /root/one.log || { cat /root/one.log; exit 1; }`
	return func(t *testing.T) func() {
		m.MustRun(t, "sh", "-c", script)
		return func() { m.MustRun(t, "sh", "-c", "rm -rf /var/lib/etcd /var/lib/etcd.*") }
	}
}

// otherDriver gives containerd a runc that does not use the cgroup driver that containerd tells the kubelet. The kubelet's own setting
// does not matter: it asks the runtime.
func otherDriver(m *bed.Machine) func(*testing.T) func() {
	const config = "/etc/containerd/config.toml"
	return func(t *testing.T) func() {
		before := m.ReadFile(t, config)
		m.WriteFile(t, "/usr/local/bin/runc-systemd", "#!/bin/sh\nexec runc --systemd-cgroup \"$@\"\n", 0o755)
		m.WriteFile(t, config, strings.Replace(before, "SystemdCgroup = true",
			"SystemdCgroup = false\n      BinaryName = '/usr/local/bin/runc-systemd'", 1), 0o644)
		m.MustRun(t, "systemctl", "restart", "containerd")
		return func() {
			m.WriteFile(t, config, before, 0o644)
			m.MustRun(t, "systemctl", "restart", "containerd")
		}
	}
}

// smallDisk mounts a file system where etcd keeps its data that is smaller than its first file.
func smallDisk(m *bed.Machine) func(*testing.T) func() {
	return func(t *testing.T) func() {
		m.MustRun(t, "sh", "-c", "mkdir -p /var/lib/etcd && mount -t tmpfs -o size=1m none /var/lib/etcd")
		return func() { m.MustRun(t, "umount", "-l", "/var/lib/etcd") }
	}
}

// containersOf asks the machine's runtime.
func containersOf(t *testing.T, m *bed.Machine) []host.Container {
	t.Helper()
	h := &host.Host{Root: m.Path("/")}
	rt, err := h.OpenRuntime(t.Context(), host.DefaultRuntime)
	if err != nil {
		t.Fatal(err)
	}
	defer rt.Close()
	list, err := rt.Containers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return list
}

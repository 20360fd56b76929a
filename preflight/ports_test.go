package preflight

import (
	"context"
	"errors"
	"syscall"
	"testing"

	"github.com/kubewright/kubewright/config"
	"github.com/kubewright/kubewright/host"
	"github.com/kubewright/kubewright/systemd"
)

// take makes an address be in use, by the processes given.
func (l *lab) take(address string, port int, holders ...Process) {
	l.listening[address] = &wrapped{syscall.EADDRINUSE}
	l.holders[port] = holders
}

// wrapped is an error as package net gives it: the reason is inside.
type wrapped struct{ reason error }

func (w *wrapped) Error() string { return "listen: " + w.reason.Error() }
func (w *wrapped) Unwrap() error { return w.reason }

func TestPorts(t *testing.T) {
	testRows(t, []row{
		{"all taken", "", func(l *lab) {
			l.take(":6443", 6443, Process{812, "haproxy"})
			l.take("127.0.0.1:10257", 10257)
			l.take("127.0.0.1:10259", 10259, Process{5, "a"}, Process{6, "b"})
			l.take(":10250", 10250, Process{9, "kubelet"})
			l.take("127.0.0.1:2379", 2379, Process{11, "etcd"})
			l.take("10.0.0.5:2380", 2380, Process{11, "etcd"})
		}, []string{
			"E Port-6443: port 6443, which kube-apiserver needs, is taken by haproxy (pid 812)",
			"E Port-10257: port 10257, which kube-controller-manager needs, is taken",
			"E Port-10259: port 10259, which kube-scheduler needs, is taken by a (pid 5), b (pid 6)",
			"E Port-10250: port 10250, which kubelet needs, is taken by kubelet (pid 9)",
			"E Port-2379: port 2379, which etcd needs, is taken by etcd (pid 11)",
			"E Port-2380: port 2380, which etcd needs, is taken by etcd (pid 11)",
		}},
		{"other addresses do not matter", "", func(l *lab) {
			l.take(":10257", 10257)
			l.take("127.0.0.1:2380", 2380)
			l.take("127.0.0.1:6443", 6443)
		}, nil},
		{"moved", apiHeader + `kind: InitConfiguration
localAPIEndpoint: {bindPort: 8443}
---
` + apiHeader + `kind: ClusterConfiguration
controllerManager: {extraArgs: [{name: bind-address, value: 10.0.0.5}]}
scheduler: {extraArgs: [{name: secure-port, value: "11259"}]}
---
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
port: 11250
address: 10.0.0.5
`, func(l *lab) {
			l.take(":6443", 6443)
			l.take(":8443", 8443)
			l.take("10.0.0.5:10257", 10257)
			l.take("127.0.0.1:10259", 10259)
			l.take("127.0.0.1:11259", 11259)
			l.take("10.0.0.5:11250", 11250)
		}, []string{
			"E Port-8443: port 8443, which kube-apiserver needs, is taken",
			"E Port-10257: port 10257, which kube-controller-manager needs, is taken",
			"E Port-10259: port 11259, which kube-scheduler needs, is taken",
			"E Port-10250: port 11250, which kubelet needs, is taken",
		}},
		{"not served", apiHeader + "kind: ClusterConfiguration\nscheduler: {extraArgs: [{name: secure-port, value: '0'}]}\n",
			func(l *lab) { l.take("127.0.0.1:10259", 10259); l.take("127.0.0.1:0", 0) }, nil},
		{"not an address of this machine", "", func(l *lab) {
			l.listening["10.0.0.5:2379"] = &wrapped{syscall.EADDRNOTAVAIL}
		}, []string{"E Port-2379: etcd cannot listen on port 2379 of 10.0.0.5: this machine does not have that address"}},
		{"other reasons", "", func(l *lab) { l.listening[":6443"] = errors.New("permission denied") },
			[]string{"E Port-6443: kube-apiserver cannot listen on :6443: permission denied"}},
		{"IPv6", apiHeader + "kind: InitConfiguration\nlocalAPIEndpoint: {advertiseAddress: 'fd00::5'}\n---\n" +
			apiHeader + "kind: ClusterConfiguration\nnetworking: {serviceSubnet: 'fd01::/112'}\n",
			func(l *lab) { l.take("[::1]:2379", 2379) }, []string{"E Port-2379: port 2379, which etcd needs, is taken"}},
		{"external etcd", apiHeader + "kind: ClusterConfiguration\netcd: {external: {endpoints: ['http://10.0.0.9:2379'], caFile: '', certFile: '', keyFile: ''}}\n",
			func(l *lab) { l.take("10.0.0.5:2379", 2379); l.take("10.0.0.5:2380", 2380) }, nil},
	})
}

// takeAll makes every component of the control plane run.
func (l *lab) takeAll() {
	l.take(":6443", 6443, Process{1, "kube-apiserver"})
	l.take("127.0.0.1:10257", 10257, Process{2, "kube-controller-manager"})
	l.take("127.0.0.1:10259", 10259, Process{3, "kube-scheduler"})
	l.take("10.0.0.5:2379", 2379, Process{4, "etcd"})
	l.take("10.0.0.5:2380", 2380, Process{4, "etcd"})
	l.take(":10250", 10250, Process{5, "kubelet"})
	l.systemd.Set(systemd.Unit{Name: "kubelet.service", ActiveState: "active", MainPID: 5})
}

// begun is what an init that was killed has left before the first manifest: credentials of the kubelet, which runs, and the CA with
// its key.
func begun(l *lab, ca string) {
	l.take(":10250", 10250, Process{5, "kubelet"})
	l.systemd.Set(systemd.Unit{Name: "kubelet.service", ActiveState: "active", MainPID: 5})
	l.write("/etc/kubernetes/pki/ca.crt", ca)
	l.write("/etc/kubernetes/pki/ca.key", "key")
	l.write(config.KubeletKubeconfig, kubeconfigOf(joinCA))
}

func TestPortsOfAnEarlierRun(t *testing.T) {
	ours := func(l *lab) {
		l.takeAll()
		for _, component := range staticPods {
			l.manifest(component, ownManifest)
		}
	}
	const kubeletTaken = "E Port-10250: port 10250, which kubelet needs, is taken"
	testRows(t, []row{
		{"passes", "", ours, nil},
		{"the kubelet alone", "", func(l *lab) {
			l.take(":10250", 10250, Process{5, "kubelet"})
			l.systemd.Set(systemd.Unit{Name: "kubelet.service", ActiveState: "active", MainPID: 5})
			l.manifest("kube-apiserver", ownManifest)
		}, nil},
		{"the kubelet of another cluster's node", "", func(l *lab) {
			l.take(":10250", 10250, Process{5, "kubelet"})
			l.systemd.Set(systemd.Unit{Name: "kubelet.service", ActiveState: "active", MainPID: 5})
		}, []string{kubeletTaken + " by kubelet (pid 5)"}},
		{"the kubelet alone, before any manifest", "", func(l *lab) { begun(l, joinCA) }, nil},
		{"the kubelet of another cluster's node, whose CA lies here", "", func(l *lab) { begun(l, otherCA) },
			[]string{kubeletTaken + " by kubelet (pid 5)"}},
		{"the kubelet of a worker", "", func(l *lab) {
			begun(l, joinCA)
			if err := l.m.Host.Remove("/etc/kubernetes/pki/ca.key"); err != nil {
				l.t.Fatal(err)
			}
		}, []string{kubeletTaken + " by kubelet (pid 5)"}},
		{"the kubelet of kubeadm's control plane", "", func(l *lab) {
			begun(l, joinCA)
			l.manifest("etcd", foreignManifest)
		}, []string{
			"E FileAvailable--etc-kubernetes-manifests-etcd.yaml: /etc/kubernetes/manifests/etcd.yaml is there already, and is not kubewright's",
			kubeletTaken + " by kubelet (pid 5)",
		}},
		{"not the kubelet", "", func(l *lab) { ours(l); l.take(":10250", 10250, Process{6, "k3s"}) }, []string{kubeletTaken + " by k3s (pid 6)"}},
		{"the kubelet under a wrapper", "", func(l *lab) { ours(l); l.take(":10250", 10250, Process{5, "wrapper"}) }, nil},
		{"the kubelet, just restarted", "", func(l *lab) { ours(l); l.take(":10250", 10250, Process{77, "kubelet"}) }, nil},
		{"the kubelet does not run", "", func(l *lab) {
			ours(l)
			l.take(":10250", 10250)
			l.systemd.Set(systemd.Unit{Name: "kubelet.service", ActiveState: "failed"})
		}, []string{kubeletTaken}},
		{"not the component", "", func(l *lab) { ours(l); l.take(":6443", 6443, Process{8, "haproxy"}) },
			[]string{"E Port-6443: port 6443, which kube-apiserver needs, is taken by haproxy (pid 8)"}},
		{"the component and another", "", func(l *lab) {
			ours(l)
			l.take(":6443", 6443, Process{1, "kube-apiserver"}, Process{8, "haproxy"})
		}, []string{"E Port-6443: port 6443, which kube-apiserver needs, is taken by kube-apiserver (pid 1), haproxy (pid 8)"}},
		{"processes hidden, container known", "", func(l *lab) {
			ours(l)
			l.m.Listeners = nil
			l.rt.SetContainers(host.Container{Name: "kube-apiserver", Running: true}, host.Container{Name: "kube-controller-manager"},
				host.Container{Name: "kube-scheduler"}, host.Container{Name: "etcd"})
		}, nil},
		{"processes hidden, runtime gone", "", func(l *lab) {
			ours(l)
			l.take(":6443", 6443)
			l.m.Runtime = nil
			l.m.OpenRuntime = func(context.Context, string) (host.Runtime, error) { return l.rt, nil }
		}, []string{"E Port-6443: port 6443, which kube-apiserver needs, is taken"}},
		{"processes hidden, no container", "", func(l *lab) { ours(l); l.take(":6443", 6443) },
			[]string{"E Port-6443: port 6443, which kube-apiserver needs, is taken"}},
		{"kubeadm's control plane", "", func(l *lab) {
			l.takeAll()
			l.manifest("kube-apiserver", foreignManifest)
		}, []string{
			"E Port-6443: port 6443, which kube-apiserver needs, is taken by kube-apiserver (pid 1)",
			"E Port-10257: port 10257, which kube-controller-manager needs, is taken by kube-controller-manager (pid 2)",
			"E Port-10259: port 10259, which kube-scheduler needs, is taken by kube-scheduler (pid 3)",
			"E FileAvailable--etc-kubernetes-manifests-kube-apiserver.yaml: /etc/kubernetes/manifests/kube-apiserver.yaml is there already, and is not kubewright's",
			"E Port-10250: port 10250, which kubelet needs, is taken by kubelet (pid 5)",
			"E Port-2379: port 2379, which etcd needs, is taken by etcd (pid 4)",
			"E Port-2380: port 2380, which etcd needs, is taken by etcd (pid 4)",
		}},
	})
}

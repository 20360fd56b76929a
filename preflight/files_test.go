package preflight

import "testing"

// ownManifest is what a static pod of ours looks like to the checks.
const ownManifest = `apiVersion: v1
kind: Pod
metadata:
  annotations: {kubewright.io/mounted-files-hash: abc}
spec:
  volumes: [{name: etcd-data, hostPath: {path: /var/lib/etcd}}]
`

// foreignManifest is kubeadm's.
const foreignManifest = `apiVersion: v1
kind: Pod
metadata:
  annotations: {kubeadm.kubernetes.io/etcd.advertise-client-urls: "https://10.0.0.5:2379"}
spec:
  volumes: [{name: etcd-data, hostPath: {path: /var/lib/etcd}}]
`

func (l *lab) manifest(component, text string) {
	l.write("/etc/kubernetes/manifests/"+component+".yaml", text)
}

func TestManifests(t *testing.T) {
	const there = " is there already, and is not kubewright's"
	testRows(t, []row{
		{"ours", "", func(l *lab) {
			for _, component := range staticPods {
				l.manifest(component, ownManifest)
			}
		}, nil},
		{"another static pod", "", func(l *lab) { l.manifest("keepalived", foreignManifest) }, nil},
		{"kubeadm's", "", func(l *lab) {
			for _, component := range staticPods {
				l.manifest(component, foreignManifest)
			}
		}, []string{
			"E FileAvailable--etc-kubernetes-manifests-kube-apiserver.yaml: /etc/kubernetes/manifests/kube-apiserver.yaml" + there,
			"E FileAvailable--etc-kubernetes-manifests-kube-controller-manager.yaml: /etc/kubernetes/manifests/kube-controller-manager.yaml" + there,
			"E FileAvailable--etc-kubernetes-manifests-kube-scheduler.yaml: /etc/kubernetes/manifests/kube-scheduler.yaml" + there,
			"E FileAvailable--etc-kubernetes-manifests-etcd.yaml: /etc/kubernetes/manifests/etcd.yaml" + there,
		}},
		{"not YAML", "", func(l *lab) { l.manifest("etcd", "\t{") },
			[]string{"E FileAvailable--etc-kubernetes-manifests-etcd.yaml: /etc/kubernetes/manifests/etcd.yaml" + there}},
		{"the caller knows better", "", func(l *lab) {
			l.manifest("etcd", foreignManifest)
			l.resume.Manifest = func(path string, data []byte) bool {
				return path == "/etc/kubernetes/manifests/etcd.yaml" && string(data) == foreignManifest
			}
		}, nil},
		{"the caller knows of none", "", func(l *lab) {
			l.manifest("etcd", ownManifest)
			l.resume.Manifest = func(string, []byte) bool { return false }
		}, []string{"E FileAvailable--etc-kubernetes-manifests-etcd.yaml: /etc/kubernetes/manifests/etcd.yaml" + there}},
	})
}

func TestEtcdDir(t *testing.T) {
	const other = apiHeader + "kind: ClusterConfiguration\netcd: {local: {dataDir: /srv/etcd}}\n"
	testRows(t, []row{
		{"empty", "", func(l *lab) {
			if err := l.m.Host.MkdirAll("/var/lib/etcd", 0o700); err != nil {
				l.t.Fatal(err)
			}
		}, nil},
		{"not empty", "", func(l *lab) { l.write("/var/lib/etcd/member/wal", "") },
			[]string{"E DirAvailable--var-lib-etcd: etcd's data directory /var/lib/etcd is not empty: it has member"}},
		{"a disk with what reset has moved aside", "", func(l *lab) {
			l.write("/var/lib/etcd/lost+found/x", "")
			l.write("/var/lib/etcd/member.reset-20261124T120000Z/wal/0.wal", "")
		}, nil},
		{"our etcd's", "", func(l *lab) {
			l.manifest("etcd", ownManifest)
			l.write("/var/lib/etcd/member/wal", "")
		}, nil},
		{"not the one of our etcd", other, func(l *lab) {
			l.manifest("etcd", ownManifest)
			l.write("/srv/etcd/member/wal", "")
		}, []string{"E DirAvailable--srv-etcd: etcd's data directory /srv/etcd is not empty: it has member"}},
		{"a file", other, func(l *lab) { l.write("/srv/etcd", "") },
			[]string{"E DirAvailable--srv-etcd: cannot list /srv/etcd: not a directory"}},
	})
}

func TestPrograms(t *testing.T) {
	testRows(t, []row{
		{"none", "", func(l *lab) { l.missing = []string{"losetup", "mount", "cp"} }, []string{
			"E FileExisting-losetup: the program losetup is not in PATH",
			"E FileExisting-mount: the program mount is not in PATH",
			"E FileExisting-cp: the program cp is not in PATH",
		}},
		{"not needed", "", func(l *lab) { l.missing = []string{"conntrack", "socat"} }, nil},
	})
}

func TestForwarding(t *testing.T) {
	off := func(l *lab) {
		l.write("/proc/sys/net/ipv4/ip_forward", "0\n")
		l.write("/proc/sys/net/ipv6/conf/default/forwarding", "0\n")
	}
	const (
		v4 = "E FileContent--proc-sys-net-ipv4-ip_forward: net.ipv4.ip_forward is 0, not 1: packets of pods are not forwarded"
		v6 = "E FileContent--proc-sys-net-ipv6-conf-default-forwarding: net.ipv6.conf.default.forwarding is 0, not 1: packets of pods are not forwarded"
	)
	testRows(t, []row{
		{"IPv4", "", off, []string{v4}},
		{"IPv6", apiHeader + "kind: InitConfiguration\nlocalAPIEndpoint: {advertiseAddress: 'fd00::5'}\n---\n" +
			apiHeader + "kind: ClusterConfiguration\nnetworking: {serviceSubnet: 'fd01::/112'}\n", off, []string{v6}},
		{"both", apiHeader + "kind: ClusterConfiguration\nnetworking: {serviceSubnet: '10.96.0.0/16,fd01::/112'}\n", off, []string{v4, v6}},
		{"pods alone", apiHeader + "kind: ClusterConfiguration\nnetworking: {podSubnet: '10.244.0.0/16,fd02::/56'}\n", off, []string{v4, v6}},
		{"no such setting", "", func(l *lab) {
			if err := l.m.Host.Remove("/proc/sys/net/ipv4/ip_forward"); err != nil {
				l.t.Fatal(err)
			}
		}, []string{"E FileContent--proc-sys-net-ipv4-ip_forward: cannot read /proc/sys/net/ipv4/ip_forward: no such file or directory"}},
	})
}

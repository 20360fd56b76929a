package e2e

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kubewright/kubewright/test/bed"
)

// etcdManifest is moved away to stop a member of etcd.
const etcdManifest = "/etc/kubernetes/manifests/etcd.yaml"

// etcdStops ends the member of etcd on a machine, as long as its manifest is away.
func etcdStops(m *bed.Machine) func(*testing.T) func() {
	return func(t *testing.T) func() {
		m.MustRun(t, "mv", etcdManifest, "/root/etcd.yaml")
		eventually(t, time.Minute, func() string {
			if out := run(m, "busybox", "netstat", "-ltn"); strings.Contains(out.out, ":2380") {
				return out.out
			}
			return ""
		})
		return func() { m.MustRun(t, "mv", "/root/etcd.yaml", etcdManifest) }
	}
}

// TestJoinErrorsControlPlane joins control planes with what is wrong: the shared certificates, and etcd's members. What the last
// error says to do is done, and mends it.
func TestJoinErrorsControlPlane(t *testing.T) {
	bed.Need(t)
	lab := bed.NewLab(t)
	all := lab.MachinesAtOnce(t, bed.Spec{Name: "cp1"}, bed.Spec{Name: "cp2"}, bed.Spec{Name: "cp3"}, bed.Spec{Name: "cp4"})
	cp := all[0]
	cp.WriteFile(t, configPath, bed.InitConfig(cp, bed.WithEndpoint(cp.IP()+":6443")), 0o600)
	cp.MustRun(t, "kubewright", "init", "--config", configPath)
	ready(t, cp)
	base := append(joinArgs(t, cp), "--control-plane")
	genuine := flag(t, base, "--token")
	wrong := strings.Repeat("0123456789abcdef", 4)
	secrets := []string{genuine[7:], wrong}
	const upload = "kubewright init phase upload-certs --upload-certs"

	refuses(t, all[1], secrets, attempt{name: "never uploaded", args: append(base, "--certificate-key", wrong), want: []string{"Secret kubeadm-certs", "does not have it", upload}})
	key := certificateKey(t, cp, "kubewright")
	secrets = append(secrets, key)
	good := slices.Concat(base, []string{"--certificate-key", key})
	behind := impostor{ca: clusterCA(t, cp), behind: 10 * time.Minute}
	for _, a := range []attempt{
		{name: "no key", args: base, want: []string{"are not here", "/etc/kubernetes/pki/sa.key", upload, "--certificate-key"}},
		{name: "wrong key", args: with(good, "--certificate-key", wrong), want: []string{"key of another upload", upload}},
		{name: "malformed key", args: with(good, "--certificate-key", key[:63]), want: []string{"certificateKey", "64 hexadecimal digits", upload}},
		{name: "expired upload", args: good, prepare: func(t *testing.T) func() { return without(t, cp, "secret", "kubeadm-certs") },
			want: []string{"deleted two hours after the upload", upload}},
		{name: "CA of another cluster", args: good, prepare: func(t *testing.T) func() {
			authority(t, all[1], "kubernetes", time.Now().Add(time.Hour))
			return func() { all[1].Remove(t, "/etc/kubernetes/pki") }
		}, want: []string{"/etc/kubernetes/pki/ca.crt", "/etc/kubernetes/pki/ca.key", "move them away if they are of another cluster"}},
		{name: "clock ahead", args: at(good, behind.serve(t, lab, behind.passes(t, cp, genuine))),
			want: []string{"[ERROR ClockSkew]", "seconds ahead of the API server's", "would not be valid there yet", "timedatectl"}},
	} {
		refuses(t, all[1], secrets, a)
	}
	joinNow(t, all[1], good...)
	voters(t, cp, 2)

	refuses(t, all[2], secrets, attempt{name: "no quorum", args: good, prepare: etcdStops(all[1]), within: time.Minute,
		want: []string{"cannot discover the cluster at " + cp.IP() + ":6443", "etcd", "quorum"}})
	voters(t, cp, 2)
	joinNow(t, all[2], good...)
	voters(t, cp, 3)

	etcdStops(all[2])(t)
	a := attempt{name: "a member is down", args: good, within: time.Minute, want: []string{"etcd adds nobody while a voting member is down", "cp3", "start etcd there again"}}
	refuses(t, all[3], secrets, a)
	said := run(all[3], append([]string{"kubewright", "join"}, good...)...).err
	command := regexp.MustCompile(`kubectl (-n kube-system exec etcd-cp[12] -- etcdctl .* member remove [0-9a-f]+)`).FindStringSubmatch(said)
	if command == nil {
		t.Fatalf("no command in:\n%s", said)
	}
	cp.Kubectl(t, strings.Fields(command[1])...)
	joinNow(t, all[3], good...)
	voters(t, cp, 3)
}

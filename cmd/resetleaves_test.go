package cmd

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/kubewright/kubewright/cause"
	"github.com/kubewright/kubewright/config"
	"github.com/kubewright/kubewright/host"
	"github.com/kubewright/kubewright/systemd"
)

// Data that is no member's of this machine is somebody else's, whatever it looks like.
func TestResetUnclaimedData(t *testing.T) {
	m, args := newWorker(t)
	m.write(etcdDB, []byte("precious"))
	before := m.tree()
	m.reset("--wipe-etcd")
	m.same(before)
	joined(t, m, args...)
	m.done.Wait()
	m.reset("--wipe-etcd")
	m.same(before)
}

// The user knows that the cluster ends before it does.
func TestResetLast(t *testing.T) {
	m, _, e := newControlPlane(t)
	e.Lock()
	e.Members = slices.DeleteFunc(e.Members, func(other *pb.Member) bool { return other != ownMember(e) })
	e.Unlock()
	before := m.tree()
	m.answers = "n\n"
	code, _, stderr := m.run("reset")
	if code != cause.Refused.Exit() || !strings.Contains(stderr, "node cp2 is the last control plane of its cluster: the cluster ends with it") {
		t.Errorf("exit code %d\n%s", code, stderr)
	}
	m.same(before)
}

// The Node is removed when nothing can make it anew: the kubelet has stopped, and the pods that need the API server have ended. The
// phase does as much alone.
func TestResetRemovesNode(t *testing.T) {
	for _, command := range [][]string{{"reset", "--force"}, {"reset", "phase", "remove-node"}} {
		m, args := newWorker(t)
		joined(t, m, args...)
		m.done.Wait()
		m.runtime.SetPods(host.Pod{ID: "1", Namespace: "default", Name: "web"})
		removed := 0
		m.cluster.refuse = func(r *http.Request) int {
			if r.Method != http.MethodDelete || r.URL.Path != "/api/v1/nodes/w1" {
				return 0
			}
			removed++
			u, err := m.systemd.Unit(r.Context(), config.KubeletService)
			if pods, _ := m.runtime.KubeletPods(r.Context()); err != nil || u.ActiveState != "inactive" || len(pods) > 0 {
				t.Errorf("%v: the kubelet is %s, pods %v, %v", command, u.ActiveState, pods, err)
			}
			return 0
		}
		if code, _, stderr := m.run(command...); code != 0 || removed != 1 || m.cluster.has("/api/v1/nodes/w1") {
			t.Errorf("%v: exit code %d, removed %d times\n%s", command, code, removed, stderr)
		}
	}
}

// What others have put where init and join write stays, and that is said.
func TestResetOthersFiles(t *testing.T) {
	m, before, _ := newControlPlane(t)
	const manifest, cert = config.ManifestsDir + "/keepalived.yaml", config.DefaultCertificatesDir + "/others.crt"
	m.write(manifest, []byte("others'"))
	m.write(cert, []byte("others'"))
	stderr := m.reset("--wipe-etcd")
	for _, want := range []string{"Left alone: " + manifest, "Left alone: " + config.DefaultCertificatesDir} {
		if !strings.Contains(stderr, want) {
			t.Errorf("no %q in:\n%s", want, stderr)
		}
	}
	after := m.tree()
	left := slices.DeleteFunc(changedPaths(before, after), func(path string) bool { return strings.HasPrefix(after[path], "d") })
	if !slices.Equal(left, []string{manifest, cert}) {
		t.Errorf("left: %v", left)
	}
}

// The kubelet's directory goes with all that is in it. Credentials that the user brought stay, unless their certificate is there.
func TestResetKubeletDir(t *testing.T) {
	for name, inDir := range map[string]bool{"whole": false, "its certificate is in the directory": true} {
		t.Run(name, func(t *testing.T) {
			m, args := newWorker(t)
			m.write(config.KubeletDir+"/own", []byte("the user's"))
			m.credentials("w1", time.Hour)
			if inDir {
				m.credentialsInFiles(config.KubeletPKIDir)
			}
			brought := m.tree()[config.KubeletKubeconfig]
			joined(t, m, args...)
			m.done.Wait()
			if m.tree()[config.KubeletKubeconfig] != brought {
				t.Fatal("the join has made other credentials")
			}
			m.reset()
			if m.host.Exists(config.KubeletDir+"/own") || m.host.Exists(config.KubeletConfigFile) {
				t.Error("something is left in the kubelet's directory")
			}
			if m.host.Exists(config.KubeletKubeconfig) == inDir {
				t.Errorf("kubelet.conf is left: %t", !inDir)
			}
		})
	}
}

// credentialsInFiles takes what the kubelet's kubeconfig holds out of it, and into files of a directory.
func (m *fakeMachine) credentialsInFiles(dir string) {
	m.t.Helper()
	data, err := m.host.ReadFile(config.KubeletKubeconfig)
	if err != nil {
		m.t.Fatal(err)
	}
	kc, err := clientcmd.Load(data)
	if err != nil {
		m.t.Fatal(err)
	}
	user := kc.AuthInfos["u"]
	m.write(dir+"/own.crt", user.ClientCertificateData)
	m.write(dir+"/own.key", user.ClientKeyData)
	user.ClientCertificate, user.ClientKey, user.ClientCertificateData, user.ClientKeyData = dir+"/own.crt", dir+"/own.key", nil, nil
	if data, err = clientcmd.Write(*kc); err != nil {
		m.t.Fatal(err)
	}
	m.write(config.KubeletKubeconfig, data)
}

// The unit of a package stays, as it was: enabled if it was enabled.
func TestResetPackagedUnit(t *testing.T) {
	const unit = "/usr/lib/systemd/system/kubelet.service"
	for _, state := range []string{"enabled", "disabled"} {
		m, args := newWorker(t)
		m.write(unit, []byte("[Service]\n"))
		m.systemd.Set(systemd.Unit{Name: config.KubeletService, UnitFileState: state})
		before := m.tree()
		joined(t, m, args...)
		m.done.Wait()
		if m.host.Exists(config.KubeletUnitFile) || !m.host.Exists(config.KubeletDropIn) {
			t.Error("another unit was written, or no drop-in")
		}
		m.reset()
		m.same(before)
		if u, err := m.systemd.Unit(t.Context(), config.KubeletService); err != nil || u.UnitFileState != state || u.ActiveState != "inactive" {
			t.Errorf("it was %s: %+v, %v", state, u, err)
		}
	}
}

// The pod network's files go when the user says so.
func TestResetCNI(t *testing.T) {
	m, args := newWorker(t)
	const conf, state = "/etc/cni/net.d/10-pods.conflist", "/var/lib/cni/networks/x"
	for _, with := range []bool{false, true} {
		joined(t, m, args...)
		m.done.Wait()
		m.write(conf, []byte("{}"))
		m.write(state, []byte("1"))
		if with {
			m.reset("--cni")
		} else {
			m.reset()
		}
		if m.host.Exists(conf) == with || m.host.Exists(state) == with {
			t.Errorf("--cni %t: %s is left %t, %s %t", with, conf, m.host.Exists(conf), state, m.host.Exists(state))
		}
	}
}

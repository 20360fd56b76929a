package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/kubewright/kubewright/cause"
	"github.com/kubewright/kubewright/test/bed"
)

const pkiDir = "/etc/kubernetes/pki/"

// presented is where certificates are presented, and the files that they are in.
var presented = map[string]string{"6443": pkiDir + "apiserver.crt", "2379": pkiDir + "etcd/server.crt", "2380": pkiDir + "etcd/peer.crt"}

// fileSerial is the serial number of the certificate in a file of the machine.
func fileSerial(t *testing.T, m *bed.Machine, path string) string {
	t.Helper()
	block, _ := pem.Decode([]byte(m.ReadFile(t, path)))
	if block == nil {
		t.Fatalf("no certificate in %s", path)
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return cert.SerialNumber.String()
}

// servedSerial is that of the certificate with which a port answers; whoever it is that asks.
func servedSerial(m *bed.Machine, port string) (string, error) {
	dialer := &net.Dialer{Timeout: 10 * time.Second}
	conn, err := tls.DialWithDialer(dialer, "tcp", net.JoinHostPort(m.IP(), port), &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		return "", err
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0].SerialNumber.String(), nil
}

// usesFiles makes sure that the components present what is in their files, and that it is not what it was.
func usesFiles(t *testing.T, m *bed.Machine, before map[string]string) (now map[string]string) {
	t.Helper()
	now = map[string]string{}
	for port, path := range presented {
		now[port] = fileSerial(t, m, path)
		served, err := servedSerial(m, port)
		if err != nil || served != now[port] || served == before[port] {
			t.Errorf("port %s presents %s, %s has %s, before it was %s: %v", port, served, path, now[port], before[port], err)
		}
	}
	return now
}

// startedSince makes sure that all components were started after a moment of the machine. A kubelet makes the mirror of a static pod
// again in its own time, every 60 to 90 seconds.
func startedSince(t *testing.T, m *bed.Machine, since time.Time) {
	t.Helper()
	for _, component := range controlPlane {
		eventually(t, 3*time.Minute, func() string {
			at, ok := kubectl(m, "-n", "kube-system", "get", "pod", component+"-"+m.Name, "-o", "jsonpath={.status.containerStatuses[0].state.running.startedAt}")
			began, err := time.Parse(time.RFC3339, at)
			if !ok || err != nil || began.Before(since.Truncate(time.Second)) {
				return component + " runs since " + at + ", before " + since.UTC().Format(time.RFC3339)
			}
			return ""
		})
	}
}

// renewed renews all with kubewright and looks at what the components do.
func renewed(t *testing.T, m *bed.Machine, before map[string]string, args ...string) (now map[string]string) {
	t.Helper()
	began := time.Now()
	r := run(m, append([]string{"kubewright", "certs", "renew", "all"}, args...)...)
	if r.code != 0 {
		t.Fatalf("certs renew all: exit code %d\n%s%s", r.code, r.out, r.err)
	}
	t.Logf("the renewal took %s:\n%s", time.Since(began).Round(10*time.Millisecond), r.err)
	if strings.Count(r.err, " renewed, good until ") != 11 {
		t.Errorf("not all is renewed:\n%s", r.err)
	}
	ready(t, m)
	startedSince(t, m, began)
	return usesFiles(t, m, before)
}

// workloadAfter makes sure that what needs the new certificates works: scheduling, controllers, and the API server's way to kubelets.
func workloadAfter(t *testing.T, m *bed.Machine, name string) {
	t.Helper()
	m.Kubectl(t, "create", "namespace", name)
	eventually(t, time.Minute, func() string {
		if out, ok := kubectl(m, "-n", name, "get", "serviceaccount", "default"); !ok {
			return "the controller manager makes no service account: " + out
		}
		return ""
	})
	if logs := m.Kubectl(t, "-n", "kube-system", "logs", "kube-scheduler-"+m.Name, "--tail", "1"); logs == "" {
		t.Error("the API server gets no log from the kubelet")
	}
}

// TestRenew renews the certificates of a control plane that kubewright made, with either tool.
func TestRenew(t *testing.T) {
	bed.Need(t)
	lab := bed.NewLab(t)
	other := lab.Machine(t, bed.Spec{Name: "other"})
	expired := expiring(t, other)
	m, _ := initialized(t, lab, bed.Spec{Name: "cp1"})
	serials := usesFiles(t, m, nil)
	now := renewed(t, m, serials)
	workloadAfter(t, m, "renewed")
	checkAgain(t, m)
	ours, theirs := m.MustRun(t, "kubewright", "certs", "check-expiration"), m.MustRun(t, "kubeadm", "certs", "check-expiration")
	if strings.Contains(ours, "MISSING") || !strings.Contains(theirs, ours) { // kubeadm says first that it asks the cluster
		t.Errorf("check-expiration:\n%s\nof kubeadm:\n%s", ours, theirs)
	}

	// And back.
	m.MustRun(t, "kubewright", "rollback", "--force")
	ready(t, m)
	for port, serial := range usesFiles(t, m, now) {
		if serial != serials[port] {
			t.Errorf("port %s presents %s after the rollback, before the renewal it was %s", port, serial, serials[port])
		}
	}
	checkAgain(t, m)

	// Kubeadm renews, and restarts nothing. Init finds that the components read other files than they did.
	m.MustRun(t, "kubeadm", "certs", "renew", "all")
	began := time.Now()
	m.MustRun(t, "kubewright", "init", "--config", configPath)
	ready(t, m)
	startedSince(t, m, began)
	usesFiles(t, m, serials)
	checkAgain(t, m)
	t.Run("expired", expired)
}

// TestRenewKubeadmNode renews those of a control plane that kubeadm made.
func TestRenewKubeadmNode(t *testing.T) {
	bed.Need(t)
	m := bed.NewLab(t).Machine(t, bed.Spec{Name: "cp1", KubeletUnit: true})
	m.WriteFile(t, configPath, bed.InitConfig(m), 0o600)
	m.MustRun(t, "kubeadm", "init", "--config", configPath, "--ignore-preflight-errors=SystemVerification")
	ready(t, m)
	manifests := map[string]string{}
	for _, component := range controlPlane {
		manifests[component] = m.ReadFile(t, "/etc/kubernetes/manifests/"+component+".yaml")
	}
	renewed(t, m, usesFiles(t, m, nil))
	workloadAfter(t, m, "renewed")
	for _, component := range controlPlane {
		now := m.ReadFile(t, "/etc/kubernetes/manifests/"+component+".yaml")
		more := strings.Count(now, "\n") - strings.Count(manifests[component], "\n")
		if more < 1 || more > 2 || !strings.Contains(now, "kubewright.io/renewed-files-hash: ") { // with the word annotations, where there was none
			t.Errorf("the manifest of %s has %d more lines:\n%s", component, more, now)
		}
	}
	m.MustRun(t, "kubewright", "certs", "renew", "scheduler.conf") // again, with the annotation there
	if text := m.ReadFile(t, "/etc/kubernetes/manifests/kube-scheduler.yaml"); strings.Count(text, "kubewright.io/renewed-files-hash: ") != 1 {
		t.Errorf("after a second renewal:\n%s", text)
	}
	m.MustRun(t, "kubeadm", "certs", "renew", "all")
	if r := run(m, "kubewright", "init", "--config", configPath); r.code != cause.Preflight.Exit() || !strings.Contains(r.err, "[ERROR ") {
		t.Errorf("init takes what kubeadm made for its own: exit code %d\n%s", r.code, r.err)
	}
	resets(t, m)
	for _, path := range []string{pkiDir + "apiserver.crt", pkiDir + "ca.key", "/etc/kubernetes/admin.conf", "/etc/kubernetes/manifests/etcd.yaml"} {
		if _, err := m.Stat(path); err == nil {
			t.Errorf("the reset after a renewal has left %s", path)
		}
	}
}

// expiring makes a control plane whose certificates expire soon. The test that it returns renews them when they have: nothing works
// then.
func expiring(t *testing.T, m *bed.Machine) func(*testing.T) {
	const life = 150 * time.Second
	long := bed.InitConfig(m)
	m.WriteFile(t, "/root/long.yaml", long, 0o600)
	m.WriteFile(t, configPath, strings.Replace(long, "kind: ClusterConfiguration\n", "kind: ClusterConfiguration\ncertificateValidityPeriod: "+life.String()+"\n", 1), 0o600)
	r := run(m, "kubewright", "init", "--config", configPath)
	made := time.Now() // the certificates are a little older
	if r.code != 0 {
		t.Fatalf("kubewright init: exit code %d\n%s%s", r.code, r.out, r.err)
	}
	ready(t, m)
	serials := usesFiles(t, m, nil)
	return func(t *testing.T) {
		time.Sleep(time.Until(made.Add(life)))
		if out, ok := kubectl(m, "get", "nodes"); ok {
			t.Fatalf("the certificates are still good:\n%s", out)
		}
		if out := m.MustRun(t, "kubewright", "certs", "check-expiration"); !strings.Contains(out, "<invalid>") {
			t.Errorf("check-expiration:\n%s", out)
		}
		renewed(t, m, serials, "--config", "/root/long.yaml")
		workloadAfter(t, m, "expired")
	}
}

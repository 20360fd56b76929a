package bed

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubewright/kubewright/config"
	"github.com/kubewright/kubewright/templates"
)

func someMachine() *Machine {
	return &Machine{Name: "cp2", Index: 2, lab: &Lab{Index: 7}}
}

func TestInitConfig(t *testing.T) {
	plain, err := config.LoadInit([]byte(InitConfig(someMachine())), "init.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if plain.Cluster.ControlPlaneEndpoint != "" || len(plain.Cluster.APIServer.ExtraArgs) > 0 || plain.Init.NodeRegistration.Name != "cp2" ||
		plain.Init.LocalAPIEndpoint.AdvertiseAddress != "10.213.7.12" || plain.Cluster.Networking.PodSubnet != PodNetwork {
		t.Errorf("without options: %+v\n%+v", plain.Init, plain.Cluster)
	}
	m := someMachine()
	full, err := config.LoadInit([]byte(InitConfig(m, WithEndpoint(m.lab.Endpoint()), WithAudit())), "init.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if full.Cluster.ControlPlaneEndpoint != "10.213.7.1:6443" {
		t.Errorf("controlPlaneEndpoint is %q", full.Cluster.ControlPlaneEndpoint)
	}
	args := map[string]string{}
	for _, a := range full.Cluster.APIServer.ExtraArgs {
		args[a.Name] = a.Value
	}
	mounts := map[string]string{}
	for _, v := range full.Cluster.APIServer.ExtraVolumes {
		mounts[v.MountPath] = v.HostPath
	}
	wantArgs := map[string]string{"audit-policy-file": AuditPolicy, "audit-log-path": AuditLog}
	wantMounts := map[string]string{AuditPolicy: AuditPolicy, "/var/log/kubernetes-audit": "/var/log/kubernetes-audit"}
	if diff := cmp.Diff([]map[string]string{wantArgs, wantMounts}, []map[string]string{args, mounts}); diff != "" {
		t.Errorf("the audit log (-want +got):\n%s", diff)
	}
}

func TestJoinConfig(t *testing.T) {
	hash := "sha256:" + strings.Repeat("1f", 32)
	args := []string{"10.213.7.1:6443", "--token", "abcdef.0123456789abcdef", "--discovery-token-ca-cert-hash", hash}
	worker, err := config.LoadJoin([]byte(JoinConfig(someMachine(), args)), "join.yaml")
	if err != nil {
		t.Fatal(err)
	}
	d := worker.Discovery.BootstrapToken
	if d == nil || d.APIServerEndpoint != args[0] || d.Token != args[2] || cmp.Diff(d.CACertHashes, []string{hash}) != "" ||
		worker.NodeRegistration.Name != "cp2" || worker.ControlPlane != nil {
		t.Errorf("a worker: %+v", worker)
	}
	key := strings.Repeat("e6", 32)
	cp, err := config.LoadJoin([]byte(JoinConfig(someMachine(), append(args, "--control-plane", "--certificate-key", key))), "join.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if cp.ControlPlane == nil || cp.ControlPlane.CertificateKey != key || cp.ControlPlane.LocalAPIEndpoint.AdvertiseAddress != "10.213.7.12" {
		t.Errorf("a control plane: %+v", cp.ControlPlane)
	}
	unsafe, err := config.LoadJoin([]byte(JoinConfig(someMachine(), args[:3])), "join.yaml")
	if err != nil || !unsafe.Discovery.BootstrapToken.UnsafeSkipCAVerification {
		t.Errorf("without a pin: %+v, %v", unsafe, err)
	}
}

func TestReadJoin(t *testing.T) {
	hash, key := "sha256:"+strings.Repeat("1f", 32), strings.Repeat("e6", 32)
	worker := []string{"10.0.0.1:6443", "--token", "abcdef.0123456789abcdef", "--discovery-token-ca-cert-hash", hash}
	controlPlane := append(append([]string(nil), worker...), "--control-plane", "--certificate-key", key)
	c := templates.Closing{Program: "kubewright", Endpoint: worker[0], Tokens: []string{worker[2]}, CAHashes: []string{hash}}
	single, err := templates.InitClosing(c)
	if err != nil {
		t.Fatal(err)
	}
	c.Shared, c.UploadCerts, c.CertificateKey = true, true, key
	shared, err := templates.InitClosing(c)
	if err != nil {
		t.Fatal(err)
	}
	kubeadm := "Now run kubeadm join on each:\n\n  kubeadm join " + strings.Join(worker[:3], " ") + " \\\n\t" + strings.Join(worker[3:], " ")
	for name, test := range map[string]struct {
		output               string
		worker, controlPlane []string
	}{
		"kubewright, single": {single, worker, nil},
		"kubewright, shared": {shared, worker, controlPlane},
		"kubeadm, single":    {kubeadm + " \n", worker, nil},
		"kubeadm, shared": {kubeadm + " \\\n\t--control-plane --certificate-key " + key + "\n\nas root:\n\n" + kubeadm + " \n",
			worker, controlPlane},
		"a failure": {"cannot join anybody: to join --token is missing\n", nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			gotWorker, gotControlPlane := ReadJoin(test.output)
			if diff := cmp.Diff([][]string{test.worker, test.controlPlane}, [][]string{gotWorker, gotControlPlane}); diff != "" {
				t.Errorf("(-want +got):\n%s\nfrom:\n%s", diff, test.output)
			}
		})
	}
}

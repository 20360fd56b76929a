package cmd

import (
	"regexp"
	"strings"
	"testing"
)

// These tests call kubeadm as tools do, in the words of their sources, and read the output as they do.

// asTool runs a command line in which FILE stands for a configuration on the machine, and expects that it works.
func (m *fakeMachine) asTool(line, file string) (stdout string) {
	m.t.Helper()
	m.program = Kubeadm
	words := strings.Fields(strings.ReplaceAll(line, "FILE", file))
	for i, word := range words {
		words[i] = strings.Trim(word, `"`)
	}
	code, stdout, stderr := m.run(words[1:]...)
	if code != 0 {
		m.t.Fatalf("%s: exit code %d\n%s%s", line, code, stdout, stderr)
	}
	if strings.Contains(stdout+stderr, "kubewright ") {
		m.t.Errorf("%s: it calls itself by another name\n%s%s", line, stdout, stderr)
	}
	return stdout
}

func TestToolsInit(t *testing.T) {
	t.Parallel()
	m, args := newUnborn(t)
	file := args[2]
	for _, preview := range []string{
		"kubeadm init --ignore-preflight-errors=all --config=FILE --skip-token-print --v=6 --dry-run",            // kind
		"kubeadm init --config=FILE --skip-token-print --v=6 --skip-phases=preflight,addon/kube-proxy --dry-run", // kind
		"kubeadm init --config FILE --v 5 --dry-run",                                                             // Cluster API
	} {
		m.asTool(preview, file)
	}
	// kubespray, with lists that are empty.
	out := m.asTool("kubeadm init --config=FILE --ignore-preflight-errors= --skip-phases= --upload-certs", file)
	if !strings.Contains(out, "Your Kubernetes control-plane has initialized successfully!") {
		t.Errorf("no word of success in:\n%s", out)
	}
	// Scripts take the command with grep -A 2 'kubeadm join' and join its lines, or the last two lines of all.
	_, last, _ := strings.Cut(out, "\nkubeadm join ")
	last = "kubeadm join " + last
	lines := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
	tail := strings.Join(lines[len(lines)-2:], "\n") + "\n"
	command := regexp.MustCompile(`^kubeadm join 10\.9\.0\.2:\d+ --token [a-z0-9]{6}\.[a-z0-9]{16} \\\n\t--discovery-token-ca-cert-hash sha256:[0-9a-f]{64}\n$`)
	if last != tail || !command.MatchString(tail) {
		t.Errorf("the join command is not at the end of:\n%s", out)
	}
	// kubespray and others take the key from the last line.
	out = m.asTool("kubeadm init phase --config FILE upload-certs --upload-certs", file)
	if !regexp.MustCompile(`\n[0-9a-f]{64}\n$`).MatchString(out) {
		t.Errorf("the key is not the last line of:\n%s", out)
	}
	// kubeadm can't do this: the phase needs others, which are not run then.
	if out = m.asTool("kubeadm init phase show-join-command --config FILE", file); !strings.HasSuffix(out, tail) {
		t.Errorf("show-join-command does not end with %q:\n%s", tail, out)
	}
	for _, again := range []string{
		"kubeadm init phase certs all --config FILE", // minikube, when a cluster is started again
		"kubeadm init phase kubeconfig all --config FILE",
		"kubeadm init phase kubelet-start --config FILE",
		"kubeadm init phase control-plane all --config FILE",
		"kubeadm init phase etcd local --config FILE",
		"kubeadm init phase addon all --config FILE",
		"kubeadm init phase certs apiserver --config=FILE", // kubespray, after it has removed the certificate
		"kubeadm config validate --config FILE",
		"kubeadm reset -f --cert-dir /etc/kubernetes/pki --dry-run",
		"kubeadm reset --cri-socket unix:///run/x.sock --force", // minikube
	} {
		m.asTool(again, file)
	}
}

func TestToolsJoin(t *testing.T) {
	for _, test := range []struct {
		tool string
		// lines are run one after the other on a machine of its own.
		lines []string
	}{
		{"kind", []string{"kubeadm join --config FILE --skip-phases=preflight --v=6"}},
		{"Cluster API", []string{"kubeadm join --config FILE --v 5", "kubeadm reset -f"}},
		{"Cluster API with retries", []string{
			"kubeadm join phase preflight --ignore-preflight-errors=DirAvailable--etc-kubernetes-manifests --config=FILE --v 5",
			"kubeadm join phase kubelet-start --config=FILE --v 5",
		}},
		{"kubespray", []string{"kubeadm join --config FILE --ignore-preflight-errors=DirAvailable--etc-kubernetes-manifests, --skip-phases="}},
		{"minikube", []string{"JOIN --ignore-preflight-errors=all --cri-socket unix:///run/x.sock --node-name=w1"}},
	} {
		t.Run(test.tool, func(t *testing.T) {
			m, args := newWorker(t)
			m.write("/etc/join.yaml", []byte(`apiVersion: kubeadm.k8s.io/v1beta4
kind: JoinConfiguration
discovery:
  bootstrapToken:
    apiServerEndpoint: `+args[1]+`
    token: `+args[3]+`
    caCertHashes: [`+args[5]+`]
nodeRegistration: {ignorePreflightErrors: [FileAvailable--etc-kubernetes-pki-ca.crt, SystemVerification, Swap, Hostname, ContainerRuntimeVersion, CRI,
  KubeletVersion, Service-kubelet, Port-10250, FileContent--proc-sys-net-ipv4-ip_forward, HTTPProxy, ClockSkew, IsPrivilegedUser]}
`))
			whole := false
			var out string
			for _, line := range test.lines {
				whole = whole || !strings.Contains(line, "phase ")
				out += m.asTool(strings.Replace(line, "JOIN", "kubeadm "+strings.Join(args[:6], " "), 1), m.host.Root+"/etc/join.yaml")
			}
			if strings.Contains(out, "This node has joined the cluster") != whole {
				t.Errorf("it prints %q", out)
			}
		})
	}
}

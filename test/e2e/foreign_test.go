package e2e

import (
	"context"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	runtimev1 "k8s.io/cri-api/pkg/apis/runtime/v1"

	"github.com/kubewright/kubewright/test/bed"
)

// sandbox is a pod that somebody else runs by the CRI, where the kubelet's pods are.
type sandbox struct {
	runtime runtimev1.RuntimeServiceClient
	id      string
}

// runSandbox starts one in the pod network, without the labels that the kubelet gives its own.
func runSandbox(t *testing.T, m *bed.Machine) sandbox {
	t.Helper()
	conn, err := grpc.NewClient("unix://"+m.Path("/run/containerd/containerd.sock"), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	s := sandbox{runtime: runtimev1.NewRuntimeServiceClient(conn)}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	started, err := s.runtime.RunPodSandbox(ctx, &runtimev1.RunPodSandboxRequest{Config: &runtimev1.PodSandboxConfig{
		Metadata: &runtimev1.PodSandboxMetadata{Name: "foreign", Namespace: "elsewhere", Uid: "foreign-1"},
		Hostname: "foreign", LogDirectory: "/var/log/foreign",
		Linux: &runtimev1.LinuxPodSandboxConfig{CgroupParent: "foreign.slice"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	s.id = started.PodSandboxId
	return s
}

// state is what the runtime says of the sandbox.
func (s sandbox) state(t *testing.T) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	r, err := s.runtime.PodSandboxStatus(ctx, &runtimev1.PodSandboxStatusRequest{PodSandboxId: s.id})
	if err != nil {
		return err.Error()
	}
	return r.Status.State.String()
}

// remove ends and removes it, as its owner does.
func (s sandbox) remove(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	_, err := s.runtime.StopPodSandbox(ctx, &runtimev1.StopPodSandboxRequest{PodSandboxId: s.id})
	if err == nil {
		_, err = s.runtime.RemovePodSandbox(ctx, &runtimev1.RemovePodSandboxRequest{PodSandboxId: s.id})
	}
	if err != nil {
		t.Error(err)
	}
}

// settle puts on a machine what others than Kubernetes have there, before it becomes a node: a container beside those of the kubelet,
// rules, mounts, files, and a CA that the cluster is to have.
func settle(t *testing.T, m *bed.Machine) {
	t.Helper()
	m.MustRun(t, "sh", "-ec", strings.ReplaceAll(`
ctr -n k8s.io images export /tmp/image.tar IMAGE && ctr -n other images import /tmp/image.tar >/dev/null && rm /tmp/image.tar
ctr -n other run --detach IMAGE lodger /bin/sleep 3600
nft add table ip foreign
nft 'add chain ip foreign input { type filter hook input priority 5; }'
nft add rule ip foreign input tcp dport 7777 drop
iptables -t nat -N FOREIGN
iptables -t nat -A FOREIGN -p tcp --dport 81 -j DNAT --to 10.9.9.9
iptables -t nat -A PREROUTING -m comment --comment 'before KUBE-SERVICES' -j FOREIGN
iptables -A FORWARD -s 10.9.9.0/24 -j DROP
ip6tables -A INPUT -p tcp --dport 7777 -j DROP
mkdir -p /srv/foreign /srv/data && mount -t tmpfs foreign /srv/foreign
echo precious > /srv/foreign/file
echo precious > /srv/data/file
`, "IMAGE", bed.ToolImage))
	authority(t, m, "kubernetes", time.Now().Add(24*time.Hour))
}

// mingle adds to a node what others have among Kubernetes' own things.
func mingle(t *testing.T, m *bed.Machine) {
	t.Helper()
	m.MustRun(t, "sh", "-ec", `
iptables -t nat -I PREROUTING -p tcp --dport 82 -j DNAT --to 10.9.9.9
iptables -t nat -A PREROUTING -p tcp --dport 83 -j DNAT --to 10.9.9.9
iptables -I FORWARD -s 10.9.8.0/24 -j DROP
mkdir /var/lib/kubelet/foreign
mount --bind /srv/foreign /var/lib/kubelet/foreign
ln -s /srv/data /var/lib/kubelet/data
`)
}

package host

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	runtimev1 "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// server is a container runtime in this process.
type server struct {
	runtimev1.UnimplementedRuntimeServiceServer
	runtimev1.UnimplementedImageServiceServer
	ready      bool
	info       map[string]string
	driver     *runtimev1.LinuxRuntimeConfiguration
	present    map[string]bool
	pods       []*runtimev1.PodSandbox
	containers []*runtimev1.Container
	statuses   map[string]*runtimev1.ContainerStatus
	mu         sync.Mutex
	calls      []string
	stopping   func()            // called by StopContainer, if set
	pullFails  map[string]string // what is said instead, by image
}

func (s *server) called(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, fmt.Sprintf(format, args...))
}

func (s *server) Version(context.Context, *runtimev1.VersionRequest) (*runtimev1.VersionResponse, error) {
	return &runtimev1.VersionResponse{RuntimeName: "containerd", RuntimeVersion: "v2.4.2"}, nil
}

func (s *server) Status(_ context.Context, r *runtimev1.StatusRequest) (*runtimev1.StatusResponse, error) {
	resp := &runtimev1.StatusResponse{Status: &runtimev1.RuntimeStatus{Conditions: []*runtimev1.RuntimeCondition{
		{Type: "RuntimeReady", Status: s.ready, Reason: "Broken", Message: "no runc"},
		{Type: "NetworkReady", Status: false},
	}}}
	if r.Verbose {
		resp.Info = s.info
	}
	return resp, nil
}

func (s *server) RuntimeConfig(ctx context.Context, r *runtimev1.RuntimeConfigRequest) (*runtimev1.RuntimeConfigResponse, error) {
	if s.driver == nil {
		return s.UnimplementedRuntimeServiceServer.RuntimeConfig(ctx, r)
	}
	return &runtimev1.RuntimeConfigResponse{Linux: s.driver}, nil
}

func (s *server) ImageStatus(_ context.Context, r *runtimev1.ImageStatusRequest) (*runtimev1.ImageStatusResponse, error) {
	if !s.present[r.Image.Image] {
		return &runtimev1.ImageStatusResponse{}, nil
	}
	return &runtimev1.ImageStatusResponse{Image: &runtimev1.Image{Id: "sha256:1"}}, nil
}

func (s *server) PullImage(_ context.Context, r *runtimev1.PullImageRequest) (*runtimev1.PullImageResponse, error) {
	if strings.Contains(r.Image.Image, "none") {
		return nil, status.Error(codes.NotFound, "no such image")
	}
	if text, fails := s.pullFails[r.Image.Image]; fails {
		return nil, status.Error(codes.Unknown, text)
	}
	s.present[r.Image.Image] = true
	return &runtimev1.PullImageResponse{ImageRef: "sha256:1"}, nil
}

func (s *server) ImageFsInfo(context.Context, *runtimev1.ImageFsInfoRequest) (*runtimev1.ImageFsInfoResponse, error) {
	return &runtimev1.ImageFsInfoResponse{ImageFilesystems: []*runtimev1.FilesystemUsage{
		{UsedBytes: &runtimev1.UInt64Value{Value: 40}, FsId: &runtimev1.FilesystemIdentifier{Mountpoint: "/run"}}, {}, {UsedBytes: &runtimev1.UInt64Value{Value: 2}}}}, nil
}

func (s *server) ListPodSandbox(_ context.Context, r *runtimev1.ListPodSandboxRequest) (*runtimev1.ListPodSandboxResponse, error) {
	resp := &runtimev1.ListPodSandboxResponse{}
	for _, p := range s.pods {
		if ns := r.Filter.LabelSelector[namespaceLabel]; ns == "" || ns == p.Labels[namespaceLabel] {
			resp.Items = append(resp.Items, p)
		}
	}
	return resp, nil
}

func (s *server) ListContainers(_ context.Context, r *runtimev1.ListContainersRequest) (*runtimev1.ListContainersResponse, error) {
	resp := &runtimev1.ListContainersResponse{}
	for _, c := range s.containers {
		if r.Filter.PodSandboxId != "" {
			if c.PodSandboxId == r.Filter.PodSandboxId && c.State == r.Filter.State.GetState() {
				resp.Containers = append(resp.Containers, c)
			}
		} else if c.Labels[namespaceLabel] == r.Filter.LabelSelector[namespaceLabel] {
			resp.Containers = append(resp.Containers, c)
		}
	}
	return resp, nil
}

func (s *server) ContainerStatus(_ context.Context, r *runtimev1.ContainerStatusRequest) (*runtimev1.ContainerStatusResponse, error) {
	if st := s.statuses[r.ContainerId]; st != nil {
		return &runtimev1.ContainerStatusResponse{Status: st}, nil
	}
	return nil, status.Error(codes.NotFound, "no such container")
}

func (s *server) StopContainer(_ context.Context, r *runtimev1.StopContainerRequest) (*runtimev1.StopContainerResponse, error) {
	if s.stopping != nil {
		s.stopping()
	}
	s.called("stop container %s in %d s", r.ContainerId, r.Timeout)
	return nil, status.Error(codes.NotFound, "it has ended meanwhile")
}

func (s *server) StopPodSandbox(_ context.Context, r *runtimev1.StopPodSandboxRequest) (*runtimev1.StopPodSandboxResponse, error) {
	s.called("stop pod %s", r.PodSandboxId)
	return &runtimev1.StopPodSandboxResponse{}, nil
}

func (s *server) RemovePodSandbox(_ context.Context, r *runtimev1.RemovePodSandboxRequest) (*runtimev1.RemovePodSandboxResponse, error) {
	s.called("remove pod %s", r.PodSandboxId)
	if r.PodSandboxId == "busy" {
		return nil, status.Error(codes.Internal, "device busy")
	}
	return &runtimev1.RemovePodSandboxResponse{}, nil
}

// serve lets s listen at a path of the host; a nil s is a gRPC server without the CRI.
func serve(t *testing.T, h *Host, path string, s *server) {
	t.Helper()
	must(t, h.MkdirAll(filepath.Dir(path), 0o755))
	l, err := net.Listen("unix", filepath.Join(h.Root, path))
	must(t, err)
	g := grpc.NewServer()
	if s != nil {
		runtimev1.RegisterRuntimeServiceServer(g, s)
		runtimev1.RegisterImageServiceServer(g, s)
	}
	go g.Serve(l)
	t.Cleanup(g.Stop)
}

// shortHost has a short root: the path of a unix socket has at most 107 bytes.
func shortHost(t *testing.T) *Host {
	t.Helper()
	dir, err := os.MkdirTemp("", "kw")
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	return &Host{Root: dir}
}

func open(t *testing.T, s *server) (*Host, Runtime) {
	t.Helper()
	h := shortHost(t)
	serve(t, h, "/run/containerd/containerd.sock", s)
	must(t, h.MkdirAll("/var", 0o755))
	must(t, h.Symlink("/run", "/var/run"))
	r, err := h.OpenRuntime(t.Context(), containerdSocket)
	must(t, err)
	t.Cleanup(func() { r.Close() })
	return h, r
}

func TestRuntimeAnswers(t *testing.T) {
	s := &server{ready: true, present: map[string]bool{"pause": true}, info: map[string]string{"config": `{"sandboxImage":"pause:3.10"}`},
		driver: &runtimev1.LinuxRuntimeConfiguration{CgroupDriver: runtimev1.CgroupDriver_CGROUPFS}}
	_, r := open(t, s)
	ctx := t.Context()
	if name, version, err := r.Version(ctx); name != "containerd" || version != "v2.4.2" || err != nil {
		t.Errorf("version: %s %s %v", name, version, err)
	}
	must(t, r.Ready(ctx))
	s.ready = false
	if err := r.Ready(ctx); err == nil || err.Error() != "cannot use the container runtime: it is not ready: Broken: no runc" {
		t.Errorf("not ready: %v", err)
	}
	for ref, want := range map[string]bool{"pause": true, "etcd": false} {
		if got, err := r.HasImage(ctx, ref); got != want || err != nil {
			t.Errorf("has image %s: %v, %v", ref, got, err)
		}
	}
	must(t, r.PullImage(ctx, "etcd"))
	if got, _ := r.HasImage(ctx, "etcd"); !got {
		t.Error("a pulled image is missing")
	}
	if err := r.PullImage(ctx, "none"); err == nil || err.Error() != "cannot pull image none: no such image\nthe registry has no such image: look at imageRepository and kubernetesVersion" {
		t.Errorf("pull: %v", err)
	}
	if n, err := r.ImageBytes(ctx); n != 42 || err != nil {
		t.Errorf("images take %d, %v", n, err)
	}
	for config, want := range map[string]string{`{"sandboxImage":"pause:3.10"}`: "pause:3.10", `{}`: "", `not json`: "", "": ""} {
		s.info["config"] = config
		if got, err := r.SandboxImage(ctx); got != want || err != nil {
			t.Errorf("sandbox image in %q: %q, %v", config, got, err)
		}
	}
	if got, err := r.CgroupDriver(ctx); got != "cgroupfs" || err != nil {
		t.Errorf("cgroup driver: %s, %v", got, err)
	}
	s.driver.CgroupDriver = runtimev1.CgroupDriver_SYSTEMD
	if got, err := r.CgroupDriver(ctx); got != "systemd" || err != nil {
		t.Errorf("cgroup driver: %s, %v", got, err)
	}
	s.driver = nil
	if _, err := r.CgroupDriver(ctx); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("cgroup driver without the call: %v", err)
	}
}

func TestContainers(t *testing.T) {
	labels := func(ns, pod string) map[string]string {
		return map[string]string{namespaceLabel: ns, podNameLabel: pod}
	}
	item := func(id, pod, ns, name string, attempt uint32, created int64) *runtimev1.Container {
		return &runtimev1.Container{Id: id, PodSandboxId: "sandbox-" + pod, Labels: labels(ns, pod), CreatedAt: created,
			Metadata: &runtimev1.ContainerMetadata{Name: name, Attempt: attempt}}
	}
	s := &server{
		pods: []*runtimev1.PodSandbox{
			sandbox("sandbox-etcd-n1", "kube-system", "file", 14), sandbox("sandbox-kube-apiserver-n1", "kube-system", "file", 0),
			sandbox("sandbox-coredns", "kube-system", "api", 0),
		},
		containers: []*runtimev1.Container{
			item("a0", "kube-apiserver-n1", "kube-system", "kube-apiserver", 7, 10),
			item("a1", "kube-apiserver-n1", "kube-system", "kube-apiserver", 0, 20), // of a newer manifest
			item("gone", "kube-apiserver-n1", "kube-system", "kube-apiserver", 1, 30),
			item("e0", "etcd-n1", "kube-system", "etcd", 0, 15),
			item("dns", "coredns", "kube-system", "coredns", 0, 15),
			item("mine", "etcd-n1", "default", "etcd", 0, 15),
		},
		statuses: map[string]*runtimev1.ContainerStatus{
			"a0": {State: runtimev1.ContainerState_CONTAINER_EXITED, ExitCode: 137, Reason: "OOMKilled", Message: "m", StartedAt: 1, FinishedAt: 2},
			"a1": {State: runtimev1.ContainerState_CONTAINER_RUNNING, StartedAt: 3}, "e0": {}, "dns": {}, "mine": {},
		},
	}
	_, r := open(t, s)
	got, err := r.Containers(t.Context())
	must(t, err)
	want := []Container{
		{ID: "e0", Name: "etcd", PodName: "etcd-n1", Namespace: "kube-system", PodCreatedAt: 14},
		{ID: "a1", Name: "kube-apiserver", PodName: "kube-apiserver-n1", Namespace: "kube-system", Running: true, StartedAt: 3},
		{ID: "a0", Name: "kube-apiserver", PodName: "kube-apiserver-n1", Namespace: "kube-system", Attempt: 7, ExitCode: 137,
			Reason: "OOMKilled", Message: "m", StartedAt: 1, FinishedAt: 2},
	}
	// CONTAINER_CREATED is the zero state of e0.
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestLogs(t *testing.T) {
	s := &server{statuses: map[string]*runtimev1.ContainerStatus{
		"a": {LogPath: "/var/log/pods/a/0.log"}, "b": {LogPath: "/var/log/none"}, "c": {}}}
	h, r := open(t, s)
	must(t, h.MkdirAll("/var/log/pods/a", 0o755))
	log := "2026-01-01T00:00:00Z stderr F one\n2026-01-01T00:00:00Z stdout F two words\n"
	must(t, h.AppendFile("/var/log/pods/a/0.log", []byte(log), 0o640))
	for _, c := range []struct {
		id   string
		n    int
		want []string
	}{{"a", 5, []string{"one", "two words"}}, {"a", 1, []string{"two words"}}, {"b", 5, nil}, {"c", 5, nil}} {
		got, err := r.Logs(t.Context(), c.id, c.n)
		if d := cmp.Diff(c.want, got); d != "" || err != nil {
			t.Errorf("%s: %v %s", c.id, err, d)
		}
	}
	if _, err := r.Logs(t.Context(), "unknown", 1); err == nil || !strings.HasSuffix(err.Error(), "container unknown: no such container") {
		t.Errorf("unknown container: %v", err)
	}
	tail, err := h.tail("/var/log/pods/a/0.log", int64(len(log)-5))
	if err != nil || tail != "2026-01-01T00:00:00Z stdout F two words\n" {
		t.Errorf("tail: %q, %v", tail, err)
	}
}

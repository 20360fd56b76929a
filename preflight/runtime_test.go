package preflight

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/kubewright/kubewright/host"
	"github.com/kubewright/kubewright/host/hosttest"
)

func TestRuntime(t *testing.T) {
	testRows(t, []row{
		{"not reached", "", func(l *lab) { l.m.Runtime = nil },
			[]string{"E CRI: cannot reach the container runtime at unix:///run/containerd/containerd.sock"}},
		{"not reached, and why", "", func(l *lab) {
			l.m.Runtime = nil
			l.m.OpenRuntime = func(_ context.Context, socket string) (host.Runtime, error) {
				return nil, fmt.Errorf("cannot reach %s: nothing listens there\nstart it", socket)
			}
		}, []string{"E CRI: cannot reach unix:///run/containerd/containerd.sock: nothing listens there"}},
		{"reached at last", "", func(l *lab) {
			l.m.Runtime = nil
			l.m.OpenRuntime = func(context.Context, string) (host.Runtime, error) { return l.rt, nil }
			l.t.Cleanup(func() {
				if !l.rt.Closed() {
					l.t.Error("the connection was not closed")
				}
			})
		}, nil},
		{"not ready", "", func(l *lab) { l.rt.Unready = errors.New("it is not ready: disk full") },
			[]string{"E CRI: it is not ready: disk full"}},
		{"old", "", func(l *lab) { l.rt.Driver = "" },
			[]string{"W ContainerRuntimeVersion: the container runtime fake 1.0 does not tell its cgroup driver"}},
		{"no such call", "", func(l *lab) {
			l.m.Runtime = unsupported{&hosttest.Runtime{Driver: "systemd"}}
		}, []string{"W ContainerRuntimeVersion: the container runtime fake 1.0 does not tell its cgroup driver"}},
		{"gone", "", func(l *lab) { l.rt.Err = errors.New("connection refused") },
			[]string{"E CRI: connection refused", "E ContainerRuntimeVersion: connection refused"}},
	})
}

// unsupported is a runtime whose error says that there is no such call.
type unsupported struct{ *hosttest.Runtime }

func (unsupported) CgroupDriver(context.Context) (string, error) {
	return "", fmt.Errorf("cannot ask: %w", errors.ErrUnsupported)
}

func TestImages(t *testing.T) {
	const never = apiHeader + "kind: InitConfiguration\nnodeRegistration: {imagePullPolicy: Never}\n"
	all := []string{
		"registry.k8s.io/kube-apiserver:v1.37.2", "registry.k8s.io/kube-controller-manager:v1.37.2",
		"registry.k8s.io/kube-scheduler:v1.37.2", "registry.k8s.io/kube-proxy:v1.37.2",
		"registry.k8s.io/coredns/coredns:v1.14.6", "registry.k8s.io/pause:3.10.2",
	}
	const etcdImage = "registry.k8s.io/etcd:3.7.0-0"
	testRows(t, []row{
		{"missing, to be pulled", "", nil, nil},
		{"never, and there", never, func(l *lab) { l.rt.SetImages(append(all, etcdImage)...) }, nil},
		{"never, and missing", never, func(l *lab) { l.rt.SetImages(all...) },
			[]string{"E ImagePull: image " + etcdImage + " is missing, and imagePullPolicy is Never"}},
		{"never, and the runtime is gone", never, func(l *lab) { l.m.Runtime = gone{l.rt} },
			[]string{"E ImagePull: connection refused"}},
		{"sandbox image", "", func(l *lab) { l.rt.Sandbox = "registry.k8s.io/pause:3.9" },
			[]string{"W ImagePull: the container runtime's sandbox image is registry.k8s.io/pause:3.9, not registry.k8s.io/pause:3.10.2"}},
		{"the same sandbox image", "", func(l *lab) { l.rt.Sandbox = "registry.k8s.io/pause:3.10.2" }, nil},
	})
}

// gone is a runtime that can't be asked for images.
type gone struct{ *hosttest.Runtime }

func (gone) HasImage(context.Context, string) (bool, error) {
	return false, errors.New("connection refused")
}

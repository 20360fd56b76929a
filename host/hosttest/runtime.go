package hosttest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/kubewright/kubewright/host"
)

// Runtime is a host.Runtime that tells what the test set. The zero value is ready, has no images and can pull every one.
// Its methods may be called from several goroutines; set its fields before.
type Runtime struct {
	// Err, if set, is the error of every call: the runtime can't be reached.
	Err error
	// Unready, if set, is the error of Ready only.
	Unready error
	// PullErr holds errors of PullImage by image; the key "" means every image.
	PullErr map[string]error
	// Sandbox is the configured sandbox image, Driver the cgroup driver; an empty Driver is the error of a runtime without
	// the RuntimeConfig call.
	Sandbox, Driver string
	// Bytes is how much the images take.
	Bytes uint64

	mu         sync.Mutex
	images     map[string]bool
	pulled     []string
	containers []host.Container
	logs       map[string][]string
	pods       []host.Pod
	closed     bool
}

var _ host.Runtime = (*Runtime)(nil)

// SetImages makes exactly these images present.
func (r *Runtime) SetImages(refs ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.images = map[string]bool{}
	for _, ref := range refs {
		r.images[ref] = true
	}
}

// Images returns the images that are present, sorted.
func (r *Runtime) Images() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Sorted(maps.Keys(r.images))
}

// Pulled returns the images that PullImage was called with, in order.
func (r *Runtime) Pulled() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.pulled)
}

// SetContainers makes Containers return exactly these, as given.
func (r *Runtime) SetContainers(list ...host.Container) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.containers = list
}

// SetLogs makes these lines be the log of a container.
func (r *Runtime) SetLogs(containerID string, lines ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.logs == nil {
		r.logs = map[string][]string{}
	}
	r.logs[containerID] = lines
}

// Closed says whether Close was called.
func (r *Runtime) Closed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.closed
}

// Version returns "fake" and "1.0".
func (r *Runtime) Version(ctx context.Context) (string, string, error) {
	return "fake", "1.0", r.err(ctx)
}

// Ready returns Err or Unready.
func (r *Runtime) Ready(ctx context.Context) error {
	if err := r.err(ctx); err != nil {
		return err
	}
	return r.Unready
}

// HasImage says whether the image was set or pulled.
func (r *Runtime) HasImage(ctx context.Context, ref string) (bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.images[ref], r.err(ctx)
}

// PullImage makes the image present, or fails with PullErr.
func (r *Runtime) PullImage(ctx context.Context, ref string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pulled = append(r.pulled, ref)
	for _, key := range []string{ref, ""} {
		if err := r.PullErr[key]; err != nil {
			return err
		}
	}
	if err := r.err(ctx); err != nil {
		return err
	}
	if r.images == nil {
		r.images = map[string]bool{}
	}
	r.images[ref] = true
	return nil
}

// ImageBytes returns Bytes.
func (r *Runtime) ImageBytes(ctx context.Context) (uint64, error) { return r.Bytes, r.err(ctx) }

// SandboxImage returns Sandbox.
func (r *Runtime) SandboxImage(ctx context.Context) (string, error) { return r.Sandbox, r.err(ctx) }

// CgroupDriver returns Driver.
func (r *Runtime) CgroupDriver(ctx context.Context) (string, error) {
	if r.Driver == "" && r.err(ctx) == nil {
		return "", fmt.Errorf("cannot ask for the cgroup driver: the runtime has no RuntimeConfig call")
	}
	return r.Driver, r.err(ctx)
}

// Containers returns what SetContainers set.
func (r *Runtime) Containers(ctx context.Context) ([]host.Container, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.containers), r.err(ctx)
}

// Logs returns the last n lines of what SetLogs set.
func (r *Runtime) Logs(ctx context.Context, containerID string, n int) ([]string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	lines := r.logs[containerID]
	return slices.Clone(lines[max(0, len(lines)-n):]), r.err(ctx)
}

// SetPods makes these be the pods of the kubelet.
func (r *Runtime) SetPods(list ...host.Pod) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pods = slices.Clone(list)
}

// SetStaticPods is SetPods with pods that are made static ones in kube-system.
func (r *Runtime) SetStaticPods(list ...host.Pod) {
	list = slices.Clone(list)
	for i := range list {
		list[i].Namespace, list[i].Static = "kube-system", true
	}
	r.SetPods(list...)
}

// KubeletPods returns the pods that were set and that RemovePod left.
func (r *Runtime) KubeletPods(ctx context.Context) ([]host.Pod, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.pods), r.err(ctx)
}

// StaticPods returns those of KubeletPods that are static and in kube-system.
func (r *Runtime) StaticPods(ctx context.Context) ([]host.Pod, error) {
	pods, err := r.KubeletPods(ctx)
	return slices.DeleteFunc(pods, func(p host.Pod) bool { return !p.Static || p.Namespace != "kube-system" }), err
}

// RemovePod takes a pod away.
func (r *Runtime) RemovePod(ctx context.Context, id string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.err(ctx); err != nil {
		return err
	}
	r.pods = slices.DeleteFunc(r.pods, func(p host.Pod) bool { return p.ID == id })
	return nil
}

// StopContainer makes a running container one that has ended well, now.
func (r *Runtime) StopContainer(ctx context.Context, id string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.err(ctx); err != nil {
		return err
	}
	for i := range r.containers {
		if c := &r.containers[i]; c.ID == id && c.Running {
			c.Running, c.FinishedAt = false, time.Now().UnixNano()
		}
	}
	return nil
}

// Close records that it was called.
func (r *Runtime) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	return nil
}

func (r *Runtime) err(ctx context.Context) error {
	if r.Err != nil {
		return r.Err
	}
	return ctx.Err()
}

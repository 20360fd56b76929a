package host

import "context"

// Runtime is the container runtime's CRI endpoint, as far as kubewright needs it.
type Runtime interface {
	// Version returns the runtime's name and version; the error says why it can't be reached.
	Version(ctx context.Context) (name, version string, err error)
	// Ready returns nil when the runtime reports RuntimeReady.
	Ready(ctx context.Context) error
	// HasImage says whether the image is present.
	HasImage(ctx context.Context, ref string) (bool, error)
	// PullImage fetches the image.
	PullImage(ctx context.Context, ref string) error
	// ImageBytes returns how much the images take, which grows while one is pulled, by whomever.
	ImageBytes(ctx context.Context) (uint64, error)
	// SandboxImage returns the runtime's configured sandbox (pause) image, or "" when it doesn't tell.
	SandboxImage(ctx context.Context) (string, error)
	// CgroupDriver returns "systemd" or "cgroupfs" from the RuntimeConfig call, or an error when the runtime has no such call.
	CgroupDriver(ctx context.Context) (string, error)
	// Containers lists containers of static pods in kube-system, the newest attempt of each first, running or exited.
	Containers(ctx context.Context) ([]Container, error)
	// Logs returns the last n lines of a container's log.
	Logs(ctx context.Context, containerID string, n int) ([]string, error)
	// StaticPods lists the static pods in kube-system that the runtime has, running or not.
	StaticPods(ctx context.Context) ([]Pod, error)
	// KubeletPods lists all pods that a kubelet made, running or not, and no others: what people start with crictl is theirs.
	KubeletPods(ctx context.Context) ([]Pod, error)
	// RemovePod stops the containers of a pod, with ten seconds to end by themselves, and removes them and the pod. One that is
	// gone is no error. Several pods may be removed at the same time.
	RemovePod(ctx context.Context, id string) error
	// StopContainer ends a container, with ten seconds to end by itself; the kubelet starts that of a static pod again. One that is gone
	// is no error.
	StopContainer(ctx context.Context, id string) error
	Close() error
}

// Pod is one pod as the runtime tells it: a sandbox. A static pod whose manifest changed is another pod of the same name.
type Pod struct {
	ID, Name, Namespace string
	UID                 string // the kubelet's; for a static pod not that of its mirror in the API
	Static              bool   // from a manifest file
	CreatedAt           int64  // nanoseconds since the epoch
}

// Container is one container as the runtime tells it.
type Container struct {
	ID, Name, PodName, Namespace string
	Attempt                      uint32
	Running                      bool
	ExitCode                     int32
	Reason, Message              string // as the runtime says: "OOMKilled", "Error", "StartError"
	StartedAt, FinishedAt        int64  // nanoseconds since the epoch
	PodCreatedAt                 int64  // when the pod was made in which Attempt counts, in the same unit
}

package preflight

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubewright/kubewright/config"
	"github.com/kubewright/kubewright/host"
)

// cri: without a container runtime that is ready, nothing starts.
func (i *initChecks) cri(ctx context.Context) []Finding {
	rt := i.m.Runtime
	if rt == nil {
		var err error
		if rt, err = i.openRuntime(ctx); err != nil {
			return failure(err, "")
		}
		defer rt.Close()
	}
	if err := rt.Ready(ctx); err != nil {
		return failure(err, "its own log says why; for containerd: journalctl -u containerd")
	}
	return nil
}

// openRuntime is tried when nobody could open the runtime before: for the reason.
func (i *initChecks) openRuntime(ctx context.Context) (host.Runtime, error) {
	socket := i.c.Init.NodeRegistration.CRISocket
	if i.m.OpenRuntime == nil {
		return nil, fmt.Errorf("cannot reach the container runtime at %s\ninstall and start one, or set nodeRegistration.criSocket", socket)
	}
	return i.m.OpenRuntime(ctx, socket)
}

// runtimeConfig: the kubelet takes its cgroup driver from the runtime, where the runtime tells it. A runtime that can't be
// asked at all is left to the check CRI.
func (i *initChecks) runtimeConfig(ctx context.Context) []Finding {
	rt := i.m.Runtime
	if rt == nil {
		return nil
	}
	_, err := rt.CgroupDriver(ctx)
	if err == nil {
		return nil
	}
	name, version, other := rt.Version(ctx)
	if !errors.Is(err, errors.ErrUnsupported) && other != nil {
		return failure(err, "")
	}
	return warned(fmt.Sprintf("the container runtime %s %s does not tell its cgroup driver", name, version),
		"cgroupDriver in the KubeletConfiguration must agree with the runtime's own setting; newer runtimes (containerd 2, CRI-O 1.28) tell")
}

// images: pulling is a step of the plan; here only what can't work is found. kubeadm only remarks that the runtime starts
// sandboxes from another image than the one that is pulled.
func (i *initChecks) images(ctx context.Context) []Finding {
	rt := i.m.Runtime
	if rt == nil {
		return nil
	}
	var found []Finding
	if sandbox, err := rt.SandboxImage(ctx); err == nil && sandbox != "" && sandbox != i.c.Image(config.Pause) {
		found = warned(fmt.Sprintf("the container runtime's sandbox image is %s, not %s", sandbox, i.c.Image(config.Pause)),
			"both work, but both are pulled; for containerd it is in /etc/containerd/config.toml")
	}
	if i.c.Init.NodeRegistration.ImagePullPolicy != corev1.PullNever {
		return found
	}
	for _, ref := range i.c.Images() {
		switch there, err := rt.HasImage(ctx, ref); {
		case err != nil:
			return append(found, failure(err, "")...)
		case !there:
			found = append(found, failed("image "+ref+" is missing, and imagePullPolicy is Never",
				"load it into the container runtime, or set nodeRegistration.imagePullPolicy to IfNotPresent")...)
		}
	}
	return found
}

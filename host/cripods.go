package host

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	runtimev1 "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// stopGrace is how long a container may take to end when its pod is removed, in seconds.
const stopGrace = 10

func inKubeSystem() map[string]string { return map[string]string{namespaceLabel: "kube-system"} }

func (c *cri) StaticPods(ctx context.Context) ([]Pod, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	list, err := c.staticPods(ctx)
	if err != nil {
		return nil, fmt.Errorf("cannot list the static pods: %w", plain(err))
	}
	return list, nil
}

func (c *cri) staticPods(ctx context.Context) ([]Pod, error) {
	pods, err := c.kubeletPods(ctx, inKubeSystem())
	return slices.DeleteFunc(pods, func(p Pod) bool { return !p.Static }), err
}

func (c *cri) KubeletPods(ctx context.Context) ([]Pod, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	list, err := c.kubeletPods(ctx, nil)
	if err != nil {
		return nil, fmt.Errorf("cannot list the pods of the kubelet: %w", plain(err))
	}
	return list, nil
}

// kubeletPods goes by the labels that the kubelet gives each pod, and by the annotation that says where it has it from, which
// only the sandbox carries.
func (c *cri) kubeletPods(ctx context.Context, labels map[string]string) ([]Pod, error) {
	all, err := c.runtime.ListPodSandbox(ctx, &runtimev1.ListPodSandboxRequest{Filter: &runtimev1.PodSandboxFilter{LabelSelector: labels}})
	if err != nil {
		return nil, err
	}
	var pods []Pod
	for _, p := range all.Items {
		pod := Pod{ID: p.Id, Name: p.Labels[podNameLabel], Namespace: p.Labels[namespaceLabel], UID: p.Labels[podUIDLabel], CreatedAt: p.CreatedAt}
		source := p.Annotations[sourceAnnotation]
		if pod.Name == "" || pod.Namespace == "" || pod.UID == "" || source == "" {
			continue
		}
		pod.Static = source == "file"
		pods = append(pods, pod)
	}
	return pods, nil
}

func (c *cri) RemovePod(ctx context.Context, id string) error {
	if err := c.removePod(ctx, id); err != nil {
		return fmt.Errorf("cannot remove pod %s: %w", id, plain(err))
	}
	return nil
}

func (c *cri) StopContainer(ctx context.Context, id string) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout+stopGrace*time.Second)
	defer cancel()
	if err := c.stopContainer(ctx, id); err != nil {
		return fmt.Errorf("cannot stop container %s: %w", id, plain(err))
	}
	return nil
}

func (c *cri) stopContainer(ctx context.Context, id string) error {
	_, err := c.runtime.StopContainer(ctx, &runtimev1.StopContainerRequest{ContainerId: id, Timeout: stopGrace})
	return unlessGone(err)
}

func (c *cri) removePod(ctx context.Context, id string) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout+2*stopGrace*time.Second)
	defer cancel()
	list, err := c.runtime.ListContainers(ctx, &runtimev1.ListContainersRequest{Filter: &runtimev1.ContainerFilter{
		PodSandboxId: id, State: &runtimev1.ContainerStateValue{State: runtimev1.ContainerState_CONTAINER_RUNNING},
	}})
	if err != nil {
		return err
	}
	stopped := make(chan error, len(list.Containers))
	for _, item := range list.Containers { // all at once, as the kubelet: a pod may have many that take all of their time
		go func() { stopped <- c.stopContainer(ctx, item.Id) }()
	}
	var failed error
	for range list.Containers {
		failed = cmp.Or(failed, <-stopped)
	}
	if failed != nil {
		return failed
	}
	_, err = c.runtime.StopPodSandbox(ctx, &runtimev1.StopPodSandboxRequest{PodSandboxId: id})
	if err := unlessGone(err); err != nil {
		return err
	}
	_, err = c.runtime.RemovePodSandbox(ctx, &runtimev1.RemovePodSandboxRequest{PodSandboxId: id})
	return unlessGone(err)
}

func unlessGone(err error) error {
	if status.Code(err) == codes.NotFound {
		return nil
	}
	return err
}

package host

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
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

// staticPods goes by the pod's annotation, which only the sandbox carries.
func (c *cri) staticPods(ctx context.Context) ([]Pod, error) {
	pods, err := c.pods(ctx, inKubeSystem())
	return slices.DeleteFunc(pods, func(p Pod) bool { return !p.Static }), err
}

func (c *cri) KubeletPods(ctx context.Context) ([]Pod, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	list, err := c.pods(ctx, nil)
	if err != nil {
		return nil, fmt.Errorf("cannot list the pods of the kubelet: %w", plain(err))
	}
	return list, nil
}

// pods lists the sandboxes that carry a kubelet's labels and annotation: others may use the runtime, too.
func (c *cri) pods(ctx context.Context, labels map[string]string) ([]Pod, error) {
	all, err := c.runtime.ListPodSandbox(ctx, &runtimev1.ListPodSandboxRequest{Filter: &runtimev1.PodSandboxFilter{LabelSelector: labels}})
	if err != nil {
		return nil, err
	}
	var pods []Pod
	for _, p := range all.Items {
		source := p.Annotations[sourceAnnotation]
		if source == "" || p.Labels[podUIDLabel] == "" || p.Labels[podNameLabel] == "" || p.Labels[namespaceLabel] == "" {
			continue
		}
		pods = append(pods, Pod{
			ID: p.Id, Namespace: p.Labels[namespaceLabel], Name: p.Labels[podNameLabel], Static: source == "file", CreatedAt: p.CreatedAt,
		})
	}
	return pods, nil
}

func (c *cri) RemovePod(ctx context.Context, id string) error {
	if err := c.removePod(ctx, id); err != nil {
		return fmt.Errorf("cannot remove pod %s: %w", id, plain(err))
	}
	return nil
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
	errs := make([]error, len(list.Containers))
	var all sync.WaitGroup
	for i, item := range list.Containers { // all at once, as the kubelet does: each may take all of its time
		all.Go(func() {
			_, err := c.runtime.StopContainer(ctx, &runtimev1.StopContainerRequest{ContainerId: item.Id, Timeout: stopGrace})
			errs[i] = unlessGone(err)
		})
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
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

package host

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	runtimev1 "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// The labels and the annotation with which the kubelet tells its pods apart.
const (
	namespaceLabel   = "io.kubernetes.pod.namespace"
	podNameLabel     = "io.kubernetes.pod.name"
	podUIDLabel      = "io.kubernetes.pod.uid"
	sourceAnnotation = "kubernetes.io/config.source" // "file" for a static pod
)

func (c *cri) Containers(ctx context.Context) ([]Container, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	list, err := c.containers(ctx)
	if err != nil {
		return nil, fmt.Errorf("cannot list the containers of the static pods: %w", plain(err))
	}
	return list, nil
}

func (c *cri) containers(ctx context.Context) ([]Container, error) {
	pods, err := c.staticPods(ctx)
	if err != nil {
		return nil, err
	}
	static := map[string]Pod{}
	for _, pod := range pods {
		static[pod.ID] = pod
	}
	all, err := c.runtime.ListContainers(ctx, &runtimev1.ListContainersRequest{Filter: &runtimev1.ContainerFilter{LabelSelector: inKubeSystem()}})
	if err != nil {
		return nil, err
	}
	// A changed manifest makes a new pod, whose attempts start at 0 again: the time of creation tells what is newest.
	slices.SortStableFunc(all.Containers, func(a, b *runtimev1.Container) int {
		return cmp.Or(
			cmp.Compare(a.Labels[podNameLabel], b.Labels[podNameLabel]),
			cmp.Compare(a.GetMetadata().GetName(), b.GetMetadata().GetName()),
			cmp.Compare(b.CreatedAt, a.CreatedAt))
	})
	var out []Container
	for _, item := range all.Containers {
		pod, ok := static[item.PodSandboxId]
		if !ok {
			continue
		}
		s, err := c.runtime.ContainerStatus(ctx, &runtimev1.ContainerStatusRequest{ContainerId: item.Id})
		if status.Code(err) == codes.NotFound {
			continue // removed in between
		}
		if err != nil {
			return nil, err
		}
		st := s.GetStatus()
		out = append(out, Container{
			ID: item.Id, Name: item.GetMetadata().GetName(), PodName: item.Labels[podNameLabel], Namespace: "kube-system",
			Attempt: item.GetMetadata().GetAttempt(), Running: st.GetState() == runtimev1.ContainerState_CONTAINER_RUNNING,
			ExitCode: st.GetExitCode(), Reason: st.GetReason(), Message: st.GetMessage(),
			StartedAt: st.GetStartedAt(), FinishedAt: st.GetFinishedAt(), PodCreatedAt: pod.CreatedAt,
		})
	}
	return out, nil
}

// Logs returns nil when the container has no log yet.
func (c *cri) Logs(ctx context.Context, containerID string, n int) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	s, err := c.runtime.ContainerStatus(ctx, &runtimev1.ContainerStatusRequest{ContainerId: containerID})
	if err != nil {
		return nil, fmt.Errorf("cannot find the log of container %s: %w", containerID, plain(err))
	}
	path := s.GetStatus().GetLogPath()
	if path == "" {
		return nil, nil
	}
	text, err := c.host.tail(path, logTail)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	lines := parseLog(text)
	return lines[max(0, len(lines)-n):], nil
}

// logTail bounds how much of a log is read, in bytes: the kubelet lets one grow to 10 MiB.
const logTail = 256 << 10

// tail returns the last whole lines of a file, at most size bytes.
func (h *Host) tail(path string, size int64) (string, error) {
	f, err := h.open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", fmt.Errorf("cannot read %s: %w", path, cause(err))
	}
	from := max(0, info.Size()-size)
	data, err := io.ReadAll(io.NewSectionReader(f, from, info.Size()-from))
	if err != nil {
		return "", fmt.Errorf("cannot read %s: %w", path, cause(err))
	}
	text := string(data)
	if from > 0 {
		_, text, _ = strings.Cut(text, "\n")
	}
	return text, nil
}

// parseLog takes apart the log format of the CRI: time, stream, tags, text. The runtime cuts a long line into parts; the tag
// P marks all of them but the last. A line that is not in that format is kept as it is.
func parseLog(text string) []string {
	var lines []string
	parts := map[string]string{} // by stream: the two streams mix
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		fields := strings.SplitN(line, " ", 4)
		if len(fields) < 4 || fields[1] != "stdout" && fields[1] != "stderr" {
			lines = append(lines, line)
			continue
		}
		stream, text := fields[1], parts[fields[1]]+fields[3]
		if tag, _, _ := strings.Cut(fields[2], ":"); tag == "P" {
			parts[stream] = text
			continue
		}
		delete(parts, stream)
		lines = append(lines, text)
	}
	for _, stream := range []string{"stdout", "stderr"} {
		if parts[stream] != "" {
			lines = append(lines, parts[stream])
		}
	}
	return lines
}

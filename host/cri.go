package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	runtimev1 "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// cri is a Runtime over the CRI v1 API.
type cri struct {
	host    *Host
	conn    *grpc.ClientConn
	runtime runtimev1.RuntimeServiceClient
	images  runtimev1.ImageServiceClient
}

func (c *cri) Close() error { return c.conn.Close() }

func (c *cri) Version(ctx context.Context) (name, version string, err error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	v, err := c.runtime.Version(ctx, &runtimev1.VersionRequest{})
	if err != nil {
		return "", "", fmt.Errorf("cannot ask the container runtime for its version: %w", plain(err))
	}
	return v.RuntimeName, v.RuntimeVersion, nil
}

func (c *cri) Ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	s, err := c.runtime.Status(ctx, &runtimev1.StatusRequest{})
	if err != nil {
		return fmt.Errorf("cannot ask the container runtime whether it is ready: %w", plain(err))
	}
	// NetworkReady is false until a pod network is installed, which comes after init.
	for _, cond := range s.GetStatus().GetConditions() {
		if cond.Type == runtimev1.RuntimeReady && !cond.Status {
			return fmt.Errorf("cannot use the container runtime: it is not ready: %s: %s", cond.Reason, cond.Message)
		}
	}
	return nil
}

func (c *cri) HasImage(ctx context.Context, ref string) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	s, err := c.images.ImageStatus(ctx, &runtimev1.ImageStatusRequest{Image: &runtimev1.ImageSpec{Image: ref}})
	if err != nil {
		return false, fmt.Errorf("cannot look for image %s: %w", ref, plain(err))
	}
	return s.Image != nil, nil
}

func (c *cri) PullImage(ctx context.Context, ref string) error {
	if _, err := c.images.PullImage(ctx, &runtimev1.PullImageRequest{Image: &runtimev1.ImageSpec{Image: ref}}); err != nil {
		return fmt.Errorf("cannot pull image %s: %w", ref, c.pullFailed(ctx, plain(err)))
	}
	return nil
}

// ImageBytes adds up the file systems for images.
func (c *cri) ImageBytes(ctx context.Context) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	r, err := c.images.ImageFsInfo(ctx, &runtimev1.ImageFsInfoRequest{})
	if err != nil {
		return 0, fmt.Errorf("cannot ask the container runtime how much its images take: %w", plain(err))
	}
	var bytes uint64
	for _, fs := range r.ImageFilesystems {
		bytes += fs.GetUsedBytes().GetValue()
	}
	return bytes, nil
}

// SandboxImage reads the configuration that containerd and CRI-O give in the verbose status. Its form is not part of the
// CRI, and containerd 2 does not tell there; what can't be read is "".
func (c *cri) SandboxImage(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	s, err := c.runtime.Status(ctx, &runtimev1.StatusRequest{Verbose: true})
	if err != nil {
		return "", fmt.Errorf("cannot ask the container runtime for its sandbox image: %w", plain(err))
	}
	var config struct {
		SandboxImage string `json:"sandboxImage"`
	}
	if err := json.Unmarshal([]byte(s.GetInfo()["config"]), &config); err != nil {
		return "", nil
	}
	return config.SandboxImage, nil
}

// CgroupDriver uses the RuntimeConfig call of KEP-4033.
func (c *cri) CgroupDriver(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	r, err := c.runtime.RuntimeConfig(ctx, &runtimev1.RuntimeConfigRequest{})
	switch {
	case status.Code(err) == codes.Unimplemented:
		return "", fmt.Errorf("cannot ask the container runtime for its cgroup driver: %w: it has no RuntimeConfig call", errors.ErrUnsupported)
	case err != nil:
		return "", fmt.Errorf("cannot ask the container runtime for its cgroup driver: %w", plain(err))
	case r.Linux == nil:
		return "", fmt.Errorf("cannot ask the container runtime for its cgroup driver: %w: it does not tell", errors.ErrUnsupported)
	case r.Linux.CgroupDriver == runtimev1.CgroupDriver_CGROUPFS:
		return "cgroupfs", nil
	}
	return "systemd", nil
}

// plain strips "rpc error: code = ... desc = " from the text of an error, and keeps its code for status.Code.
func plain(err error) error {
	if s, ok := status.FromError(err); ok {
		switch s.Code() {
		case codes.DeadlineExceeded:
			return fmt.Errorf("it did not answer in time: %w", context.DeadlineExceeded)
		case codes.Canceled:
			return context.Canceled
		}
		return &rpcError{s}
	}
	return err
}

type rpcError struct{ status *status.Status }

func (e *rpcError) Error() string              { return e.status.Message() }
func (e *rpcError) GRPCStatus() *status.Status { return e.status }

package host

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	runtimev1 "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// LastingError is a failure to pull an image that another try does not get over.
type LastingError struct{ Err error }

func (e *LastingError) Error() string { return e.Err.Error() }
func (e *LastingError) Unwrap() error { return e.Err }

// pullFailed says what a runtime's words mean, most of which come without a code of their own.
func (c *cri) pullFailed(ctx context.Context, err error) error {
	text := strings.ToLower(err.Error())
	says := func(words ...string) bool {
		return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(text, w) })
	}
	code := status.Code(err)
	switch {
	case says("no space left on device", "disk quota exceeded"):
		return &LastingError{fmt.Errorf("%w\n%s", err, c.room(ctx))}
	case code == codes.Unauthenticated || code == codes.PermissionDenied || says("access denied", "unauthorized", "authorization failed", "403 forbidden"):
		return &LastingError{fmt.Errorf("%w\nthe registry refuses it: is the name right, and does the runtime have credentials for the registry?", err)}
	case code == codes.NotFound || code == codes.InvalidArgument || says("manifest unknown", "repository does not exist"):
		return &LastingError{fmt.Errorf("%w\nthe registry has no such image: look at imageRepository and kubernetesVersion", err)}
	case code == codes.Unavailable:
		return fmt.Errorf("%w\nis the container runtime still running? look with: systemctl status containerd", err)
	}
	return err
}

// room says where images are, and how much is free there.
func (c *cri) room(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	where := "the file system of the images is full: make room on it"
	info, err := c.images.ImageFsInfo(ctx, &runtimev1.ImageFsInfoRequest{})
	if err != nil {
		return where
	}
	for _, fs := range info.ImageFilesystems {
		if dir := fs.GetFsId().GetMountpoint(); dir != "" { // a directory, whatever it is called
			return c.host.hint(dir+"/x", unix.ENOSPC) + ", which has the images"
		}
	}
	return where
}

package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	runtimev1 "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// Sockets are the CRI sockets that kubeadm knows, as it writes them.
const (
	containerdSocket = "unix:///var/run/containerd/containerd.sock"
	crioSocket       = "unix:///var/run/crio/crio.sock"
	criDockerdSocket = "unix:///var/run/cri-dockerd.sock"
)

// DefaultRuntime is the socket for machines whose runtime does not matter: containerd's, as with kubeadm.
const DefaultRuntime = containerdSocket

// callTimeout bounds every question to the runtime. Pulling images is bounded by the caller only.
const callTimeout = 15 * time.Second

// DetectRuntime returns the one CRI socket that is there of those that kubeadm knows. As with kubeadm, containerd's is the
// answer when none is there; that it is missing shows when it is opened.
func (h *Host) DetectRuntime() (string, error) {
	var found []string
	for _, socket := range []string{containerdSocket, crioSocket, criDockerdSocket} {
		path, err := socketPath(socket)
		if err != nil {
			return "", err
		}
		if file, err := h.socketFile(path); err == nil {
			if info, err := os.Stat(file); err == nil && info.Mode()&fs.ModeSocket != 0 {
				found = append(found, socket)
			}
		}
	}
	switch len(found) {
	case 0:
		return containerdSocket, nil
	case 1:
		return found[0], nil
	}
	return "", fmt.Errorf("cannot choose a container runtime: this machine has more than one: %s\nset nodeRegistration.criSocket, or --cri-socket, to the one to use",
		strings.Join(found, ", "))
}

// OpenRuntime connects to the container runtime at a CRI socket, as in unix:///run/containerd/containerd.sock, or just the
// path. It asks for the runtime's version, so that a runtime that does not serve the CRI fails here, with a hint.
func (h *Host) OpenRuntime(ctx context.Context, socket string) (Runtime, error) {
	path, err := socketPath(socket)
	if err != nil {
		return nil, fmt.Errorf("cannot use the container runtime socket %q: %w", socket, err)
	}
	r, err := h.openRuntime(ctx, path)
	if err != nil {
		return nil, fmt.Errorf("cannot reach the container runtime at unix://%s: %w", path, err)
	}
	return r, nil
}

func (h *Host) openRuntime(ctx context.Context, path string) (Runtime, error) {
	file, err := h.socketFile(path)
	if err != nil {
		return nil, err
	}
	// gRPC hides why it can't connect in a long message; a plain connection tells.
	probe, err := new(net.Dialer).DialContext(ctx, "unix", file)
	if err != nil {
		return nil, explainDial(err)
	}
	probe.Close()
	conn, err := grpc.NewClient("passthrough:///localhost",
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", file)
		}),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(16<<20))) // as the kubelet: lists can be long
	if err != nil {
		return nil, err
	}
	c := &cri{host: h, conn: conn, runtime: runtimev1.NewRuntimeServiceClient(conn), images: runtimev1.NewImageServiceClient(conn)}
	if _, _, err := c.Version(ctx); err != nil {
		conn.Close()
		return nil, h.explainVersion(err)
	}
	return c, nil
}

// socketPath returns the path in a CRI endpoint.
func socketPath(socket string) (string, error) {
	path := socket
	if scheme, rest, ok := strings.Cut(socket, "://"); ok {
		if scheme != "unix" {
			return "", fmt.Errorf("the scheme is %q, only unix sockets can be used\nwrite it as unix:///path/to/the.sock", scheme)
		}
		path = rest
	}
	if !filepath.IsAbs(path) {
		return "", errors.New("it has no absolute path\nwrite it as unix:///path/to/the.sock")
	}
	return filepath.Clean(path), nil
}

// socketFile is the path of a socket for this process.
func (h *Host) socketFile(path string) (string, error) {
	p, err := h.at(path, true)
	if err != nil {
		return "", err
	}
	defer p.Close()
	if h.Root == "/" {
		return path, nil
	}
	return filepath.Join(h.Root, p.full()), nil
}

func explainDial(err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return errors.New("there is no such socket\ninstall and start a container runtime, or set nodeRegistration.criSocket if its socket is elsewhere")
	case errors.Is(err, syscall.ECONNREFUSED):
		return errors.New("nothing listens at the socket\nis the container runtime running? look with: systemctl status containerd")
	case errors.Is(err, fs.ErrPermission):
		return errors.New("permission denied\nrun this command as root")
	}
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Err
	}
	return err
}

// disabledCRI matches the line that packages of Docker put into containerd's configuration.
var disabledCRI = regexp.MustCompile(`(?m)^\s*disabled_plugins\s*=\s*\[[^\]]*["'](io\.containerd\.grpc\.v1\.)?cri["']`)

const containerdConfig = "/etc/containerd/config.toml"

func (h *Host) explainVersion(err error) error {
	if status.Code(err) != codes.Unimplemented {
		return err
	}
	hint := "is it a container runtime with a CRI v1 API? Docker needs cri-dockerd; containerd must not have cri in disabled_plugins in " + containerdConfig
	if text, err := h.ReadFile(containerdConfig); err == nil && disabledCRI.Match(text) {
		hint = "the cri plugin is in disabled_plugins in " + containerdConfig + ": take it out, then run: systemctl restart containerd"
	}
	return fmt.Errorf("it does not serve the CRI v1 API\n%s", hint)
}

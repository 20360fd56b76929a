package preflight

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kubewright/kubewright/etcd"
	"github.com/kubewright/kubewright/host"
	"github.com/kubewright/kubewright/systemd"
)

// NewMachine describes the machine that we run on. s and rt are nil when systemd or the container runtime can't be reached.
// Only the files are looked for below h.Root: programs, ports and the rest are always those of this machine.
func NewMachine(h *host.Host, s systemd.Manager, rt host.Runtime) Machine {
	return Machine{
		Host: h, Systemd: s, Runtime: rt, OpenRuntime: h.OpenRuntime,
		UID: os.Geteuid(), CPUs: runtime.NumCPU(), Memory: totalMemory(),
		Listen:         listen,
		Look:           func(_ context.Context, address string) error { return occupied(filepath.Join(h.Root, "proc"), address) },
		Listeners:      func(port int) []Process { return listeners(filepath.Join(h.Root, "proc"), port) },
		LookPath:       exec.LookPath,
		LookupHost:     net.DefaultResolver.LookupHost,
		Proxy:          http.ProxyFromEnvironment,
		KubeletVersion: func(ctx context.Context) (string, error) { return kubeletVersion(ctx, "kubelet") },
		VerifySystem:   verifySystem,
		InspectSystem:  inspectSystem,
		EtcdVersion:    etcd.ExternalVersion,
	}
}

// totalMemory is 0 when the kernel does not tell.
func totalMemory() uint64 {
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		return 0
	}
	return uint64(info.Totalram) * uint64(info.Unit)
}

func listen(ctx context.Context, address string) error {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return err
	}
	return l.Close()
}

var kubeletVersionLine = regexp.MustCompile(`(?m)^\s*Kubernetes (v\S+)\s*$`)

// kubeletVersion asks the program for its version, as "v1.37.2".
func kubeletVersion(ctx context.Context, program string) (string, error) {
	path, err := exec.LookPath(program)
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, path, "--version")
	cmd.WaitDelay = time.Second
	out, err := cmd.Output()
	if ctx.Err() != nil {
		err = fmt.Errorf("it did not answer in time: %w", ctx.Err())
	}
	if err != nil {
		return "", fmt.Errorf("cannot run %s --version: %w", path, err)
	}
	found := kubeletVersionLine.FindSubmatch(out)
	if found == nil {
		return "", fmt.Errorf("cannot read the version of %s: it says %q", path, out)
	}
	return string(found[1]), nil
}

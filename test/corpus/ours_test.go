package corpus

import (
	"bytes"
	"context"
	"os"
	"strings"
	"testing"

	"github.com/kubewright/kubewright/cmd"
	"github.com/kubewright/kubewright/host"
)

// machine is this machine as far as the config commands look at it.
type machine struct {
	cmd.Machine // nil: what is not below is not to be asked
}

func (machine) Host(root string) *host.Host { return &host.Host{Root: root} }

func (machine) Hostname() (string, error) { return host.Hostname() }

func (machine) DetectRuntime(*host.Host) (string, error) { return host.DefaultRuntime, nil }

func (machine) DefaultAddress(ipv6 bool) (string, error) {
	a, err := host.DefaultAddress(ipv6)
	return a.String(), err
}

func (machine) LoopbackAddress() (string, error) {
	a, err := host.LoopbackAddress()
	return a.String(), err
}

// kubewright runs in this process.
func kubewright(ctx context.Context, stdin string, args ...string) said {
	var out, err bytes.Buffer
	code := cmd.Run(ctx, cmd.Env{
		Stdin: strings.NewReader(stdin), Stdout: &out, Stderr: &err, Environ: os.Environ(), Machine: machine{},
	}, args)
	_, complaint, _ := strings.Cut(err.String(), "error: ")
	return said{code == 0, out.String(), strings.TrimSpace(complaint)}
}

// skipWithoutFacts skips where machine can't stand for the one that kubeadm sees.
func skipWithoutFacts(t *testing.T) {
	t.Helper()
	if _, err := host.DefaultAddress(false); err != nil {
		t.Skip("this machine has no address that others reach: ", err)
	}
	h := host.Host{Root: "/"}
	if socket, err := h.DetectRuntime(); err != nil || socket != host.DefaultRuntime {
		t.Skip("this machine has another container runtime: ", socket, err)
	}
}

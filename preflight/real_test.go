package preflight

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/procfs"

	"github.com/kubewright/kubewright/host"
)

func TestListenAndListeners(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address, port := l.Addr().String(), l.Addr().(*net.TCPAddr).Port
	if err := listen(t.Context(), address); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("a port that is taken: %v", err)
	}
	for _, taken := range []string{address, net.JoinHostPort("", strconv.Itoa(port)), net.JoinHostPort("0.0.0.0", strconv.Itoa(port))} {
		if err := occupied("/proc", taken); !errors.Is(err, syscall.EADDRINUSE) {
			t.Errorf("%s is taken, but looking says %v", taken, err)
		}
	}
	if err := occupied("/proc", net.JoinHostPort("127.0.0.2", strconv.Itoa(port))); err != nil {
		t.Errorf("another address: %v", err)
	}
	want := []Process{{PID: os.Getpid(), Name: filepath.Base(os.Args[0])}}
	if diff := cmp.Diff(want, listeners("/proc", port)); diff != "" {
		t.Errorf("listeners (-want +got):\n%s", diff)
	}
	// A connection that outlives its listener holds the port's number, but does not listen.
	client, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	server, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	l.Close()
	if err := listen(t.Context(), address); err != nil {
		t.Errorf("a port that is free: %v", err)
	}
	if err := occupied("/proc", address); err != nil {
		t.Errorf("looking at a port that is free: %v", err)
	}
	if found := listeners("/proc", port); found != nil {
		t.Errorf("listeners of a free port: %v", found)
	}
	// TEST-NET-1 is nobody's address.
	if err := listen(t.Context(), "192.0.2.1:0"); !errors.Is(err, syscall.EADDRNOTAVAIL) {
		t.Errorf("an address of another machine: %v", err)
	}
	if err := occupied("/proc", "192.0.2.1:1"); !errors.Is(err, syscall.EADDRNOTAVAIL) {
		t.Errorf("looking at an address of another machine: %v", err)
	}
}

func TestListenersWithoutProc(t *testing.T) {
	if found := listeners(t.TempDir(), 1); found != nil {
		t.Errorf("found %v", found)
	}
	if err := occupied(t.TempDir(), "127.0.0.1:1"); err != nil {
		t.Errorf("looking finds %v", err)
	}
}

// The kernel's name for a process ends after 15 characters.
func TestProgramName(t *testing.T) {
	for _, tt := range []struct{ comm, cmdline, want string }{
		{"etcd", "/usr/local/bin/etcd\x00--name=a\x00", "etcd"},
		{"kube-controller", "kube-controller-manager\x00--leader-elect\x00", "kube-controller-manager"},
		{"kube-controller", "/usr/bin/qemu-aarch64\x00/usr/local/bin/kube-controller-manager\x00", "kube-controller-manager"},
		{"kube-controller", "", "kube-controller"},
		{"", "", "a process"},
	} {
		proc := t.TempDir()
		if err := os.Mkdir(filepath.Join(proc, "7"), 0o755); err != nil {
			t.Fatal(err)
		}
		files := map[string]string{"cmdline": tt.cmdline}
		if tt.comm != "" {
			files["comm"] = tt.comm + "\n"
		}
		for name, text := range files {
			if err := os.WriteFile(filepath.Join(proc, "7", name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		fs, err := procfs.NewFS(proc)
		if err != nil {
			t.Fatal(err)
		}
		p, err := fs.Proc(7)
		if err != nil {
			t.Fatal(err)
		}
		if got := programName(p); got != tt.want {
			t.Errorf("%q, %q: %q, want %q", tt.comm, tt.cmdline, got, tt.want)
		}
	}
}

func TestKubeletVersionOfProgram(t *testing.T) {
	dir := t.TempDir()
	for _, tt := range []struct{ name, script, want, wrong string }{
		{"good", "echo Kubernetes v1.37.2", "v1.37.2", ""},
		{"chatty", "echo I1124 flag deprecated; echo Kubernetes v1.38.0-rc.1+a", "v1.38.0-rc.1+a", ""},
		{"other", "echo hello", "", `it says "hello\n"`},
		{"broken", "exit 3", "", "exit status 3"},
	} {
		program := filepath.Join(dir, tt.name)
		if err := os.WriteFile(program, []byte("#!/bin/sh\n"+tt.script+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		got, err := kubeletVersion(t.Context(), program)
		if got != tt.want || (err == nil) != (tt.wrong == "") || err != nil && !strings.Contains(err.Error(), tt.wrong) {
			t.Errorf("%s: %q, %v", tt.name, got, err)
		}
	}
	if _, err := kubeletVersion(t.Context(), "kubewright-no-such-program"); !errors.Is(err, exec.ErrNotFound) {
		t.Errorf("no program: %v", err)
	}
}

func TestKubeletThatHangs(t *testing.T) {
	program := filepath.Join(t.TempDir(), "kubelet")
	if err := os.WriteFile(program, []byte("#!/bin/sh\nexec sleep 60\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err := kubeletVersion(ctx, program)
	if err == nil || !strings.Contains(err.Error(), "did not answer in time") {
		t.Errorf("error %v", err)
	}
}

// A description of the real machine leaves nothing open.
func TestNewMachine(t *testing.T) {
	m := NewMachine(&host.Host{Root: "/"}, nil, nil)
	if m.CPUs < 1 || m.Memory < 1<<20 || m.UID != os.Geteuid() {
		t.Errorf("CPUs %d, memory %d, user %d", m.CPUs, m.Memory, m.UID)
	}
	if m.Look == nil || m.InspectSystem == nil || m.OpenRuntime == nil || m.Listen == nil || m.Listeners == nil || m.LookPath == nil || m.LookupHost == nil || m.Proxy == nil ||
		m.KubeletVersion == nil || m.VerifySystem == nil || m.EtcdVersion == nil {
		t.Errorf("a question has no answer: %+v", m)
	}
}

package preflight

import (
	"context"
	"errors"
	"flag"
	"net/http"
	"net/url"
	"path"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubewright/kubewright/config"
	"github.com/kubewright/kubewright/host"
	"github.com/kubewright/kubewright/host/hosttest"
	"github.com/kubewright/kubewright/systemd"
	"github.com/kubewright/kubewright/systemd/systemdtest"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// lab is a machine that passes every check, for tests to spoil.
type lab struct {
	t       *testing.T
	c       *config.Config
	m       Machine
	resume  Resume
	rt      *hosttest.Runtime
	systemd *systemdtest.Fake
	// listening maps addresses that can't be listened on to the reason; holders maps ports to processes.
	listening map[string]error
	holders   map[int][]Process
	missing   []string // programs
	kubelet   string
}

// newLab takes a configuration in YAML; empty means the defaults.
func newLab(t *testing.T, text string) *lab {
	t.Helper()
	l := &lab{
		t: t, c: config.New(), rt: &hosttest.Runtime{Driver: "systemd"}, systemd: systemdtest.New(),
		listening: map[string]error{}, holders: map[int][]Process{}, kubelet: "v1.37.2",
	}
	var err error
	if text != "" {
		if l.c, err = config.LoadInit([]byte(text), "test"); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.c.SetDefaults(config.Dynamic{
		Hostname: "cp1", AdvertiseAddress: "10.0.0.5", CRISocket: "unix:///run/containerd/containerd.sock", Version: "v1.37.2",
	}); err != nil {
		t.Fatal(err)
	}
	l.systemd.Set(systemd.Unit{Name: config.KubeletService})
	l.m = Machine{
		Host: hosttest.New(t), Systemd: l.systemd, Runtime: l.rt, CPUs: 2, Memory: minimumMemory,
		Listen:         func(_ context.Context, address string) error { return l.listening[address] },
		Listeners:      func(port int) []Process { return l.holders[port] },
		LookPath:       l.lookPath,
		LookupHost:     func(context.Context, string) ([]string, error) { return []string{"10.0.0.5"}, nil },
		Proxy:          func(*http.Request) (*url.URL, error) { return nil, nil },
		KubeletVersion: func(context.Context) (string, error) { return l.kubelet, nil },
		VerifySystem:   func(string) (warnings, errs []error) { return nil, nil },
	}
	l.write(swapsFile, "Filename\tType\tSize\tUsed\tPriority\n")
	l.write("/proc/sys/net/ipv4/ip_forward", "1\n")
	l.write("/proc/sys/net/ipv6/conf/default/forwarding", "1\n")
	return l
}

func (l *lab) lookPath(program string) (string, error) {
	if slices.Contains(l.missing, program) {
		return "", errors.New("not found")
	}
	return "/usr/bin/" + program, nil
}

func (l *lab) write(file, text string) {
	l.t.Helper()
	if err := l.m.Host.MkdirAll(path.Dir(file), 0o755); err != nil {
		l.t.Fatal(err)
	}
	if err := l.m.Host.WriteFile(file, host.FileSpec{Data: []byte(text), Mode: 0o600}); err != nil {
		l.t.Fatal(err)
	}
}

// found runs all the checks of init: "E" or "W", the check's name and the message, without the hints.
func (l *lab) found() []string {
	report := Run(l.t.Context(), Init(l.c, l.m, l.resume), nil)
	var lines []string
	for _, f := range report.Errors {
		lines = append(lines, "E "+f.Check+": "+f.Message)
	}
	for _, f := range report.Warnings {
		lines = append(lines, "W "+f.Check+": "+f.Message)
	}
	return lines
}

// row is a way to spoil a machine, and all that the checks say about it then.
type row struct {
	name   string
	config string
	spoil  func(*lab)
	want   []string
}

// testRows shows for each row that exactly the wanted findings come. Rows that want none show what passes.
func testRows(t *testing.T, rows []row) {
	t.Helper()
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			l := newLab(t, r.config)
			if r.spoil != nil {
				r.spoil(l)
			}
			if diff := cmp.Diff(r.want, l.found()); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

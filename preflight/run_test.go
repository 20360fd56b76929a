package preflight

import (
	"context"
	"crypto/tls"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubewright/kubewright/etcd"
)

func says(name string, found ...Finding) Check {
	return Check{Name: name, Find: func(context.Context) []Finding { return found }}
}

func TestRunSortsFindings(t *testing.T) {
	checks := []Check{
		says("B", Finding{Message: "b1"}, Finding{Message: "b2", Warning: true}),
		says("Fine"),
		says("A", Finding{Message: "a1", Hint: "do it"}),
		says("B", Finding{Message: "b3"}),
	}
	b1, b2 := Finding{Check: "B", Message: "b1"}, Finding{Check: "B", Message: "b2", Warning: true}
	a1, b3 := Finding{Check: "A", Message: "a1", Hint: "do it"}, Finding{Check: "B", Message: "b3"}
	for _, tt := range []struct {
		name   string
		ignore []string
		want   *Report
	}{
		{"nothing ignored", nil, &Report{Warnings: []Finding{b2}, Errors: []Finding{b1, a1, b3}}},
		{"one, in any case", []string{" b "}, &Report{Warnings: []Finding{b2}, Errors: []Finding{a1}, Ignored: []Finding{b1, b3}}},
		{"all", []string{"ALL"}, &Report{Warnings: []Finding{b2}, Ignored: []Finding{b1, a1, b3}}},
		{"not a part of a name", []string{"", "Alle", "B1"}, &Report{Warnings: []Finding{b2}, Errors: []Finding{b1, a1, b3}}},
	} {
		got := Run(t.Context(), checks, tt.ignore)
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

func TestGates(t *testing.T) {
	ran := false
	checks := []Check{
		{Name: "Later", Find: func(context.Context) []Finding { ran = true; return failed("later", "") }},
		{Name: "Gate", Gate: true, Find: func(context.Context) []Finding { return failed("shut", "") }},
	}
	want := &Report{Errors: []Finding{{Check: "Gate", Message: "shut"}}}
	if diff := cmp.Diff(want, Run(t.Context(), checks, nil)); diff != "" || ran {
		t.Errorf("a shut gate: the others ran: %v (-want +got):\n%s", ran, diff)
	}
	want = &Report{Errors: []Finding{{Check: "Later", Message: "later"}}, Ignored: []Finding{{Check: "Gate", Message: "shut"}}}
	if diff := cmp.Diff(want, Run(t.Context(), checks, []string{"gate"})); diff != "" {
		t.Errorf("a shut gate, ignored (-want +got):\n%s", diff)
	}
}

// All checks must be on their way before the first can end.
func TestRunAtTheSameTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		met := make(chan struct{})
		var waiting atomic.Int32
		meet := Check{Name: "Meet", Find: func(ctx context.Context) []Finding {
			if waiting.Add(1) == 3 {
				close(met)
			}
			select {
			case <-met:
				return nil
			case <-ctx.Done():
				return failed("alone", "")
			}
		}}
		if report := Run(t.Context(), []Check{meet, meet, meet}, nil); len(report.Errors) > 0 {
			t.Errorf("the checks ran one after the other: %v", report.Errors)
		}
	})
}

func TestSlowChecks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		end := make(chan struct{})
		defer close(end)
		checks := []Check{
			{Name: "Deaf", Find: func(context.Context) []Finding { <-end; return failed("too late", "") }},
			{Name: "Polite", Find: func(ctx context.Context) []Finding { <-ctx.Done(); return failed("nobody answers", "") }},
			{Name: "Patient", Limit: limit / 2, Find: func(ctx context.Context) []Finding { <-ctx.Done(); return nil }},
			says("Quick", Finding{Message: "quick"}),
		}
		start := time.Now()
		got := Run(t.Context(), checks, nil)
		if took := time.Since(start); took != limit+grace {
			t.Errorf("it took %s, want %s", took, limit+grace)
		}
		want := &Report{
			Warnings: []Finding{{Check: "Deaf", Message: "the check did not end within 20s: its result is not known", Warning: true}},
			Errors:   []Finding{{Check: "Polite", Message: "nobody answers"}, {Check: "Quick", Message: "quick"}},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// An etcd that is restarted is back before the check of its version ends.
func TestRestartingEtcdPasses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, external)
		begin := time.Now()
		l.write("/e/ca.crt", "")
		l.m.EtcdVersion = func(ctx context.Context, _ string, _ *tls.Config) (string, error) {
			select {
			case <-ctx.Done():
				return "", ctx.Err()
			case <-time.After(etcd.VersionLimit):
				return "3.6.6", nil
			}
		}
		if found := l.found(); found != nil {
			t.Errorf("after %s: %v", time.Since(begin), found)
		}
	})
}

// A run that the user stopped does not look like one that passed.
func TestInterrupted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		end := make(chan struct{})
		defer close(end)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(3*time.Second, cancel)
		got := Run(ctx, []Check{{Name: "Deaf", Find: func(context.Context) []Finding { <-end; return nil }}}, nil)
		want := &Report{Errors: []Finding{{Check: "Deaf", Message: "the check was interrupted"}}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// The names are what users of kubeadm write after --ignore-preflight-errors. These are the checks of kubeadm init 1.37.
func TestNames(t *testing.T) {
	names := func(text string) []string {
		l := newLab(t, text)
		var list []string
		for _, c := range Init(l.c, l.m, l.resume) {
			list = append(list, c.Name)
		}
		return list
	}
	const common = `IsPrivilegedUser NumCPU Mem Firewalld Port-6443 Port-10257 Port-10259
		FileAvailable--etc-kubernetes-manifests-kube-apiserver.yaml FileAvailable--etc-kubernetes-manifests-kube-controller-manager.yaml
		FileAvailable--etc-kubernetes-manifests-kube-scheduler.yaml FileAvailable--etc-kubernetes-manifests-etcd.yaml
		HTTPProxy HTTPProxyCIDR CRI ContainerRuntimeVersion Swap FileExisting-losetup FileExisting-mount FileExisting-cp
		SystemVerification Hostname KubeletVersion Service-kubelet Port-10250 FileContent--proc-sys-net-ipv4-ip_forward `
	for _, tt := range []struct{ config, rest string }{
		{"", "Port-2379 Port-2380 DirAvailable--var-lib-etcd ImagePull"},
		{external, "ExternalEtcdVersion ExternalEtcdClientCertificates ImagePull"},
	} {
		if diff := cmp.Diff(strings.Fields(common+tt.rest), names(tt.config)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

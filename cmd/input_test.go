package cmd

import (
	"context"
	"errors"
	"testing"

	"github.com/spf13/pflag"

	"github.com/kubewright/kubewright/host"
	"github.com/kubewright/kubewright/host/hosttest"
)

// odd is a machine with two runtimes, a stopped systemd-resolved and an address on its loopback interface.
type odd struct{ Machine }

func (odd) Hostname() (string, error)                { return "cp1", nil }
func (odd) DetectRuntime(*host.Host) (string, error) { return "", errors.New("more than one") }
func (odd) DefaultAddress(ipv6 bool) (string, error) {
	return map[bool]string{false: "10.0.0.5", true: "fd00::5"}[ipv6], nil
}
func (odd) LoopbackAddress() (string, error)          { return "192.0.2.1", nil }
func (odd) Resolved(context.Context, *host.Host) bool { return false }

// TestWhatThePhaseNeeds: only commands that take --cri-socket have to know which runtime it is.
func TestWhatThePhaseNeeds(t *testing.T) {
	env := &Env{Machine: odd{}}
	all := (&initFlags{}).flagSet()
	if _, err := (&initFlags{}).load(t.Context(), env, hosttest.New(t), all); err == nil {
		t.Error("init with two runtimes chooses one")
	}
	f := &initFlags{}
	few := pflag.NewFlagSet("certs", pflag.ContinueOnError)
	few.AddFlag(f.flagSet().Lookup("cert-dir"))
	in, err := f.load(t.Context(), env, hosttest.New(t), few)
	if err != nil || in.config.Init.NodeRegistration.CRISocket != host.DefaultRuntime {
		t.Errorf("a phase of certs: %+v, %v", in, err)
	}
}

func TestChooseAddress(t *testing.T) {
	for given, want := range map[string]string{
		"": "10.0.0.5", "0.0.0.0": "10.0.0.5", "::": "fd00::5", "127.0.0.1": "192.0.2.1", "10.9.9.9": "",
	} {
		if got, err := chooseAddress(&Env{Machine: odd{}}, given); err != nil || got != want {
			t.Errorf("%q: %q, %v; want %q", given, got, err, want)
		}
	}
}

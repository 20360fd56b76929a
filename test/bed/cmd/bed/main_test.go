package main

import (
	"errors"
	"strings"
	"testing"

	"github.com/kubewright/kubewright/test/bed"
)

// What `make up` passes on is understood, and anything else is told how it goes before anything is built.
func TestUpFlags(t *testing.T) {
	for line, want := range map[string]bed.Up{
		"": {Tool: "kubewright", ControlPlanes: 1, Workers: 1},
		"--workers 2 --tool kubeadm --control-planes 3 --config f.yaml": {Tool: "kubeadm", Config: "f.yaml", ControlPlanes: 3, Workers: 2},
		"--workers 0": {Tool: "kubewright", ControlPlanes: 1},
	} {
		if got, err := upFlags(strings.Fields(line)); err != nil || got != want {
			t.Errorf("%q: %+v, %v; want %+v", line, got, err, want)
		}
	}
	for _, line := range []string{"--control-planes 0", "--workers -1", "--workers", "--workers many", "--tool kind", "more", "--help"} {
		if got, err := upFlags(strings.Fields(line)); !errors.Is(err, errUsage) {
			t.Errorf("%q: %+v, %v; want the usage", line, got, err)
		}
	}
}

// Without a seed, any is taken; the one that is taken can be given again.
func TestPowerFlags(t *testing.T) {
	if got, err := powerFlags(nil); err != nil || got.Cuts != 10 || got.Seed == 0 {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := powerFlags([]string{"--cuts", "2", "--seed", "7"}); err != nil || got.Cuts != 2 || got.Seed != 7 {
		t.Errorf("%+v, %v", got, err)
	}
	for _, line := range []string{"--cuts 0", "--seed -1", "more"} {
		if _, err := powerFlags(strings.Fields(line)); !errors.Is(err, errUsage) {
			t.Errorf("%q: %v; want the usage", line, err)
		}
	}
}

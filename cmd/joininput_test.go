package cmd

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/kubewright/kubewright/host/hosttest"
	"github.com/kubewright/kubewright/phases"
)

// TestJoinReach: timeouts.discovery says how long a silent API server is waited for, unless it is what kubeadm writes into every file.
func TestJoinReach(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"": 0, "timeouts: {discovery: 5m0s}\n": 0, "timeouts: {discovery: 7m}\n": 7 * time.Minute, "timeouts: {discovery: 2s}\n": 2 * time.Second,
	} {
		m := newMachine(t, nil, "w1")
		f := &joinFlags{runFlags: runFlags{root: "/"}}
		flags := f.flagSet()
		if err := flags.Parse([]string{"--config", configFile(t, joinsWith+text)}); err != nil {
			t.Fatal(err)
		}
		in, err := f.load(t.Context(), &Env{Machine: m}, hosttest.New(t), flags, "")
		if err != nil || in.reach != want {
			t.Errorf("%q: %+v, %v", text, in, err)
		}
	}
}

// TestEndpointOfEveryPhase: each phase of join may be told which cluster it is about, as join itself.
func TestEndpointOfEveryPhase(t *testing.T) {
	t.Parallel()
	all := walkHelp(t, func(path []string) string { return helpOf(t, Kubewright, path) })
	seen := 0
	for _, name := range phases.Join().Names() {
		of := all["join phase "+strings.ReplaceAll(name, "/", " ")]
		if of == nil {
			t.Errorf("there is no phase %s", name)
			continue
		}
		if !groups(all, "join phase "+strings.ReplaceAll(name, "/", " ")) {
			seen++
			if want := "[api-server-endpoint]"; !strings.HasPrefix(of.args, want) {
				t.Errorf("%s takes %q, not %s", name, of.args, want)
			}
		}
	}
	if seen < 10 {
		t.Errorf("only %d phases: %s", seen, fmt.Sprint(phases.Join().Names()))
	}
}

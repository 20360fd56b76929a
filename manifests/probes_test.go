package manifests

import (
	"testing"

	"github.com/kubewright/kubewright/config"
)

func TestSecurePort(t *testing.T) {
	for given, want := range map[string]int32{"": 10257, "10300": 10300, "0": 10257, "nonsense": 10257, "70000": 10257} {
		args := []config.Arg{{Name: "v", Value: "4"}}
		if given != "" {
			args = append(args, config.Arg{Name: "secure-port", Value: given})
		}
		if got := securePort(args, controllerManagerPort); got != want {
			t.Errorf("secure-port %q: the probes ask %d, want %d", given, got, want)
		}
	}
}

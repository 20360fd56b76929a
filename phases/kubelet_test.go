package phases

import (
	"slices"
	"strings"
	"testing"

	"github.com/kubewright/kubewright/config"
	"github.com/kubewright/kubewright/host/hosttest"
	"github.com/kubewright/kubewright/manifests"
	"github.com/kubewright/kubewright/plan"
)

// TestKubeletUnitOfPackage: a unit that is not ours is left to those who brought it; what we have to say to it is in a drop-in.
func TestKubeletUnitOfPackage(t *testing.T) {
	for _, there := range []bool{false, true} {
		f := facts(t, hosttest.New(t), minimal)
		f.KubeletUnit = there
		files, err := kubeletFiles(f, manifests.KubeletFlags)
		if err != nil {
			t.Fatal(err)
		}
		writes := func(path string) bool {
			return slices.ContainsFunc(files, func(f plan.File) bool { return f.Path == path })
		}
		if writes(config.KubeletUnitFile) == there || !writes(config.KubeletDropIn) {
			t.Errorf("a unit is there %t: unit %t, drop-in %t", there, writes(config.KubeletUnitFile), writes(config.KubeletDropIn))
		}
	}
}

// TestPatchedSocketWins: the user's patch of the kubelet's configuration is the last word.
func TestPatchedSocketWins(t *testing.T) {
	patches, err := manifests.Patches([]manifests.PatchFile{{Name: "kubeletconfiguration.yaml", Data: []byte("containerRuntimeEndpoint: unix:///patched.sock\n")}})
	if err != nil {
		t.Fatal(err)
	}
	f := facts(t, hosttest.New(t), minimal)
	f.Patches = patches
	files, err := kubeletFiles(f, manifests.KubeletFlags)
	if err != nil {
		t.Fatal(err)
	}
	at := func(path string) string {
		return string(files[slices.IndexFunc(files, func(f plan.File) bool { return f.Path == path })].Data)
	}
	if text := at(config.KubeletConfigFile); !strings.Contains(text, "containerRuntimeEndpoint: unix:///patched.sock\n") {
		t.Errorf("the kubelet's configuration:\n%s", text)
	}
	if text := at(config.KubeletInstanceConfigFile); !strings.Contains(text, f.Config.Init.NodeRegistration.CRISocket) {
		t.Errorf("instance-config.yaml:\n%s", text)
	}
}

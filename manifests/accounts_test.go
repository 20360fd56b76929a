package manifests

import (
	"slices"
	"testing"

	"github.com/kubewright/kubewright/config"
)

// TestControllerAccounts: what the controller manager would not make is not made for it.
func TestControllerAccounts(t *testing.T) {
	usual := []string{"kube-controller-manager", "--controllers=*,bootstrapsigner,tokencleaner", "--use-service-account-credentials=true"}
	// What a real 1.36.3 makes, and what only a real 1.37 does.
	const always, newer = "device-taint-eviction-controller", "podcertificaterequestcleaner"
	for _, tc := range []struct {
		name    string
		version string
		command []string
		want    []string // of always and newer
	}{
		{"1.37", "v1.37.2", usual, []string{always, newer}},
		{"1.36", "v1.36.0", usual, []string{always}},
		{"its own credentials", "v1.37.2", append(usual[:2:2], "--use-service-account-credentials=false"), nil},
		{"chosen twice, the last counts", "v1.37.2", append(usual[:3:3], "--controllers=node-lifecycle-controller"), nil},
		{"feature gates", "v1.37.2", append(usual[:3:3], "--feature-gates=PodCertificateRequest=false"), nil},
		{"as another version", "v1.37.2", append(usual[:3:3], "--emulated-version=1.36"), nil},
		{"no command line", "v1.37.2", nil, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			v, err := config.ParseVersion(tc.version)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, account := range ControllerAccounts(v, tc.command) {
				if account.Namespace != "kube-system" {
					t.Errorf("%s is in namespace %s", account.Name, account.Namespace)
				}
				if account.Name == always || account.Name == newer {
					got = append(got, account.Name)
				}
			}
			if !slices.Equal(got, tc.want) {
				t.Errorf("%v; want %v", got, tc.want)
			}
		})
	}
}

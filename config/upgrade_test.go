package config

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func loadUpgrade(text, name string) (*Upgrade, error) {
	u, err := LoadUpgrade([]byte(text), name)
	if err != nil {
		return nil, err
	}
	return u, errors.Join(u.SetDefaults(machine()), u.Validate())
}

// Every file of testdata/upgrade-good is a configuration; beside it is the document as it looks with defaults.
func TestUpgradeGood(t *testing.T) {
	for _, file := range files(t, "upgrade-good") {
		t.Run(filepath.Base(file), func(t *testing.T) {
			u, err := loadUpgrade(readFile(t, file), filepath.Base(file))
			if err != nil {
				t.Fatal(err)
			}
			out, err := u.UpgradeYAML()
			if err != nil {
				t.Fatal(err)
			}
			golden(t, goldenName("upgrade-good", file), out)
			back, err := loadUpgrade(string(out), "written.yaml")
			if err != nil {
				t.Fatalf("cannot read what was written: %v", err)
			}
			if diff := cmp.Diff(u, back); diff != "" {
				t.Errorf("round trip:\n%s", diff)
			}
		})
	}
}

// Every file of testdata/upgrade-bad is wrong; beside it is everything that is said about it.
func TestUpgradeBad(t *testing.T) {
	for _, file := range files(t, "upgrade-bad") {
		t.Run(filepath.Base(file), func(t *testing.T) {
			_, err := loadUpgrade(readFile(t, file), filepath.Base(file))
			if err == nil {
				t.Fatal("no error")
			}
			golden(t, goldenName("upgrade-bad", file), []byte(err.Error()+"\n"))
		})
	}
}

// Reset reads the experimental version, as kubeadm's does.
func TestResetReadsV1(t *testing.T) {
	r, err := loadReset("apiVersion: kubeadm.k8s.io/v1\nkind: ResetConfiguration\nforce: true\n", "file.yaml")
	if err != nil || !r.Force || r.APIVersion != APIVersion {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestInitDefaultsRefuses(t *testing.T) {
	if _, err := InitDefaults([]string{"KubeletConfiguration", "Kubelet"}); err == nil || !strings.Contains(err.Error(), `"Kubelet"`) {
		t.Errorf("error %v", err)
	}
}

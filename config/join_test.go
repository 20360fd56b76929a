package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// loadJoin reads, defaults and validates a file.
func loadJoin(text, name string) (*Join, error) {
	j, err := LoadJoin([]byte(text), name)
	if err != nil {
		return nil, err
	}
	return j, errors.Join(j.SetDefaults(machine()), j.Validate())
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Every file of testdata/join-good is a configuration; beside it is the document as it looks with defaults.
func TestJoinGood(t *testing.T) {
	for _, file := range files(t, "join-good") {
		t.Run(filepath.Base(file), func(t *testing.T) {
			j, err := loadJoin(readFile(t, file), filepath.Base(file))
			if err != nil {
				t.Fatal(err)
			}
			out := joinText(t, j)
			golden(t, goldenName("join-good", file), []byte(out))
			if err := j.SetDefaults(machine()); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(out, joinText(t, j)); diff != "" {
				t.Errorf("defaults differ the second time:\n%s", diff)
			}
			_, yaml, _ := strings.Cut(out, "\n---\n")
			back, err := loadJoin(yaml, "written.yaml")
			if err != nil {
				t.Fatalf("cannot read what was written: %v", err)
			}
			if diff := cmp.Diff(j.JoinConfiguration, back.JoinConfiguration, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("round trip:\n%s", diff)
			}
		})
	}
}

func joinText(t *testing.T, j *Join) string {
	t.Helper()
	out, err := j.JoinYAML()
	if err != nil {
		t.Fatal(err)
	}
	return "# warnings: " + strings.Join(j.Warnings, "\n#   ") + "\n---\n" + string(out)
}

// Every file of testdata/join-bad is wrong, its secrets contain "5ecret"; beside it is everything that is said about it.
func TestJoinBad(t *testing.T) {
	for _, file := range files(t, "join-bad") {
		t.Run(filepath.Base(file), func(t *testing.T) {
			_, err := loadJoin(readFile(t, file), filepath.Base(file))
			if err == nil {
				t.Fatal("no error")
			}
			golden(t, goldenName("join-bad", file), []byte(err.Error()+"\n"))
			if strings.Contains(err.Error(), "5ecret") || strings.Contains(err.Error(), "5678901234567890") {
				t.Error("the message repeats a secret")
			}
		})
	}
}

// Everything that the machine cannot tell is asked for at once, and a worker is not asked for an address.
func TestJoinNothingKnown(t *testing.T) {
	for name, controlPlane := range map[string]*JoinControlPlane{"worker": nil, "control-plane": {}} {
		j := NewJoin()
		j.ControlPlane = controlPlane
		if err := j.SetDefaults(Dynamic{}); err != nil {
			t.Fatal(err)
		}
		err := j.Validate()
		if err == nil {
			t.Fatal("no error")
		}
		golden(t, "join-nothing-known-"+name+".golden", []byte(err.Error()+"\n"))
	}
}

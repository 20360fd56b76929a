package config

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// loadReset reads, defaults and validates a file.
func loadReset(text, name string) (*Reset, error) {
	r, err := LoadReset([]byte(text), name)
	if err != nil {
		return nil, err
	}
	return r, errors.Join(r.SetDefaults(machine()), r.Validate())
}

// Every file of testdata/reset-good is a configuration; beside it is the document as it looks with defaults.
func TestResetGood(t *testing.T) {
	for _, file := range files(t, "reset-good") {
		t.Run(filepath.Base(file), func(t *testing.T) {
			r, err := loadReset(readFile(t, file), filepath.Base(file))
			if err != nil {
				t.Fatal(err)
			}
			out := resetText(t, r)
			golden(t, goldenName("reset-good", file), []byte(out))
			if err := r.SetDefaults(machine()); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(out, resetText(t, r)); diff != "" {
				t.Errorf("defaults differ the second time:\n%s", diff)
			}
			_, yaml, _ := strings.Cut(out, "\n---\n")
			back, err := loadReset(yaml, "written.yaml")
			if err != nil {
				t.Fatalf("cannot read what was written: %v", err)
			}
			if diff := cmp.Diff(r.ResetConfiguration, back.ResetConfiguration, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("round trip:\n%s", diff)
			}
		})
	}
}

func resetText(t *testing.T, r *Reset) string {
	t.Helper()
	out, err := encode(resetKind, r.ResetConfiguration)
	if err != nil {
		t.Fatal(err)
	}
	return "# warnings: " + strings.Join(r.Warnings, "\n#   ") + "\n---\n" + string(out)
}

// Every file of testdata/reset-bad is wrong; beside it is everything that is said about it.
func TestResetBad(t *testing.T) {
	for _, file := range files(t, "reset-bad") {
		t.Run(filepath.Base(file), func(t *testing.T) {
			_, err := loadReset(readFile(t, file), filepath.Base(file))
			if err == nil {
				t.Fatal("no error")
			}
			golden(t, goldenName("reset-bad", file), []byte(err.Error()+"\n"))
		})
	}
}

// A machine without a runtime can be reset, and the directory of certificates is left to be found.
func TestResetNothingKnown(t *testing.T) {
	r := NewReset()
	if err := errors.Join(r.SetDefaults(Dynamic{}), r.Validate()); err != nil {
		t.Fatal(err)
	}
	if r.CRISocket != "" || r.CertificatesDir != "" || len(r.Warnings) > 0 {
		t.Errorf("made up: %+v", r)
	}
}

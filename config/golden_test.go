package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// Every file of testdata/good is a configuration; beside it are all documents as they look with defaults.
func TestGood(t *testing.T) {
	for _, file := range files(t, "good") {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			c := load(t, string(text))
			out, err := c.InitYAML()
			if err != nil {
				t.Fatal(err)
			}
			golden(t, goldenName("good", file), append([]byte("# warnings: "+strings.Join(c.Warnings, "\n#   ")+"\n"), out...))

			t.Run("defaults twice", func(t *testing.T) {
				before, warnings := string(out), append([]string(nil), c.Warnings...)
				ready(t, c, machine())
				again, err := c.InitYAML()
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(before, string(again)); diff != "" {
					t.Errorf("defaults differ the second time:\n%s", diff)
				}
				if diff := cmp.Diff(warnings, c.Warnings); diff != "" {
					t.Errorf("warnings differ the second time:\n%s", diff)
				}
			})
			t.Run("round trip", func(t *testing.T) {
				back := load(t, string(out))
				for i := range c.Init.BootstrapTokens {
					c.Init.BootstrapTokens[i].Generated = false // who reads a token can't know that nobody chose it
				}
				if diff := cmp.Diff(c.Init, back.Init, cmpopts.EquateEmpty()); diff != "" {
					t.Errorf("InitConfiguration:\n%s", diff)
				}
				if diff := cmp.Diff(c.Cluster, back.Cluster, cmpopts.EquateEmpty()); diff != "" {
					t.Errorf("ClusterConfiguration:\n%s", diff)
				}
				again, err := back.InitYAML()
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(string(out), string(again)); diff != "" {
					t.Errorf("text:\n%s", diff)
				}
			})
		})
	}
}

// Every file of testdata/bad is wrong, its secrets contain "5ecret"; beside it is everything that is said about it.
func TestBad(t *testing.T) {
	for _, file := range files(t, "bad") {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			c, err := LoadInit(text, filepath.Base(file))
			if err == nil {
				if err := c.SetDefaults(machine()); err != nil {
					t.Fatal(err)
				}
				err = c.Validate()
			}
			if err == nil {
				t.Fatal("no error")
			}
			golden(t, goldenName("bad", file), []byte(err.Error()+"\n"))
			if strings.Contains(err.Error(), "5ecret") {
				t.Errorf("the message repeats a secret")
			}
		})
	}
}

func files(t *testing.T, folder string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join("testdata", folder, "*.yaml"))
	if err != nil || len(found) == 0 {
		t.Fatalf("no test data in %s: %v", folder, err)
	}
	return found
}

func goldenName(folder, file string) string {
	return filepath.Join(folder, strings.TrimSuffix(filepath.Base(file), ".yaml")+".golden")
}

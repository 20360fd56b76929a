package config

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// machine is what the tests' host knows.
func machine() Dynamic {
	return Dynamic{
		Hostname: "Node-1", AdvertiseAddress: "192.0.2.10", CRISocket: "unix:///var/run/containerd/containerd.sock",
		Token: func() (string, error) { return "abcdef.0123456789abcdef", nil },
	}
}

// load reads, defaults and validates a file that must be right.
func load(t *testing.T, text string) *Config {
	t.Helper()
	c, err := LoadInit([]byte(text), "file.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return ready(t, c, machine())
}

func ready(t *testing.T, c *Config, d Dynamic) *Config {
	t.Helper()
	if err := c.SetDefaults(d); err != nil {
		t.Fatal(err)
	}
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	return c
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s differs (-want +got):\n%s", file, diff)
	}
}

package phases

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubewright/kubewright/config"
	"github.com/kubewright/kubewright/host"
	"github.com/kubewright/kubewright/host/hosttest"
	"github.com/kubewright/kubewright/manifests"
	"github.com/kubewright/kubewright/pki"
	"github.com/kubewright/kubewright/plan"
	"github.com/kubewright/kubewright/systemd/systemdtest"
)

var update = flag.Bool("update", false, "rewrite golden files")

var now = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// facts are those of a machine with nothing on it but what h holds.
func facts(t *testing.T, h *host.Host, text string) *Facts {
	t.Helper()
	c, err := config.LoadInit([]byte(text), "test.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.SetDefaults(config.Dynamic{
		Hostname: "cp1", AdvertiseAddress: "10.9.0.2", CRISocket: "unix:///run/containerd/containerd.sock",
		Token: func() (string, error) { return "abcdef.0123456789abcdef", nil },
	}); err != nil {
		t.Fatal(err)
	}
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	h.Now = func() time.Time { return now }
	set := pki.Plan(pki.Input{Config: c, Read: h.ReadFile, Now: now, Rand: rand.Reader})
	return &Facts{
		Config: c, Host: h, PKI: set, Node: manifests.Node{Config: c, Hash: set.Hash}, Hostname: "cp1",
		KubeletPath: "/usr/bin/kubelet", Now: now, Rand: zeros{}, Skip: c.Init.SkipPhases, Whole: true,
		AdminKubeconfig: config.AdminKubeconfig, KubeconfigDir: config.KubernetesDir,
	}
}

const minimal = "apiVersion: kubeadm.k8s.io/v1beta4\nkind: InitConfiguration\n"

// zeros is no randomness at all: names that are made up are the same in every run.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// TestGoldenPlans prints the plan of init for each configuration of testdata, on an empty machine.
func TestGoldenPlans(t *testing.T) {
	inputs, err := filepath.Glob("testdata/*.yaml")
	if err != nil || len(inputs) < 5 {
		t.Fatalf("%d inputs, %v", len(inputs), err)
	}
	for _, input := range inputs {
		t.Run(filepath.Base(input), func(t *testing.T) {
			text, err := os.ReadFile(input)
			if err != nil {
				t.Fatal(err)
			}
			h := hosttest.New(t)
			f := facts(t, h, string(text))
			f.UploadCerts = strings.Contains(string(text), "# upload-certs")
			f.CertificateKey = make([]byte, 32)
			p, err := Init().Plan(context.Background(), f)
			if err != nil {
				t.Fatal(err)
			}
			items, err := p.Preview(context.Background(), &plan.Target{Host: h, Systemd: systemdtest.New(), Elsewhere: true})
			if err != nil {
				t.Fatal(err)
			}
			checkGolden(t, strings.TrimSuffix(input, ".yaml")+".plan", plan.Text(items, plan.TextOptions{}))
		})
	}
}

// checkGolden compares a printed plan with its golden file, or with -update rewrites that.
func checkGolden(t *testing.T, golden, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("the plan changed (-golden +now); if that is meant, run with -update:\n%s", diff)
	}
}

// render writes the files of init's plan.
func render(t *testing.T, h *host.Host) (changes int, err error) {
	t.Helper()
	p, err := Init().Plan(context.Background(), facts(t, h, minimal))
	if err != nil {
		t.Fatalf("a run that stopped left something that the next one refuses: %v", err)
	}
	return (&plan.Runner{Target: &plan.Target{Host: h}}).Run(context.Background(), p.Files())
}

// TestCrashAtEveryWrite stops init at every change to a file, as a crash does, and runs it again with new keys in memory:
// it comes to the end, and another run finds nothing to do.
func TestCrashAtEveryWrite(t *testing.T) {
	if _, err := os.Stat("/dev/shm"); err == nil {
		t.Setenv("TMPDIR", "/dev/shm") // where syncing costs nothing: this writes ten thousands of files
	}
	var ops int
	count := hosttest.New(t)
	count.Fault = func(string, string) error { ops++; return nil }
	if _, err := render(t, count); err != nil {
		t.Fatal(err)
	}
	if ops < 100 {
		t.Fatalf("only %d changes to files: the test would miss most", ops)
	}
	step := 7
	if testing.Short() {
		step = 37
	}
	crashed := errors.New("crash")
	for at := 1; at <= ops; at += step {
		h := hosttest.New(t)
		n := 0
		h.Fault = func(string, string) error {
			if n++; n == at {
				return crashed
			}
			return nil
		}
		if _, err := render(t, h); !errors.Is(err, crashed) {
			t.Fatalf("change %d: %v", at, err)
		}
		h = &host.Host{Root: h.Root} // the next run
		if _, err := render(t, h); err != nil {
			t.Fatalf("after a crash at change %d: %v", at, err)
		}
		if changes, err := render(t, h); err != nil || changes != 0 {
			t.Fatalf("after a crash at change %d, the third run changes %d, %v", at, changes, err)
		}
		checkNoTemporary(t, h, at)
	}
}

// checkNoTemporary looks for half-written files: some would hold keys.
func checkNoTemporary(t *testing.T, h *host.Host, at int) {
	t.Helper()
	err := filepath.WalkDir(h.Root, func(path string, _ fs.DirEntry, err error) error {
		if strings.HasSuffix(path, ".tmp") {
			t.Errorf("after a crash at change %d, %s is left", at, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestPrivateFiles looks for keys that others can read, and for secrets in what is printed.
func TestPrivateFiles(t *testing.T) {
	h := hosttest.New(t)
	p, err := Init().Plan(context.Background(), facts(t, h, minimal))
	if err != nil {
		t.Fatal(err)
	}
	items, err := p.Preview(context.Background(), &plan.Target{Host: h, Systemd: systemdtest.New(), Elsewhere: true})
	if err != nil {
		t.Fatal(err)
	}
	if text := plan.Text(items, plan.TextOptions{Verbose: true}); strings.Contains(text, "PRIVATE KEY") || strings.Contains(text, "client-key-data") {
		t.Error("the printed plan holds a key")
	}
	if _, err := (&plan.Runner{Target: &plan.Target{Host: h}}).Run(context.Background(), p.Files()); err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir(h.Root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		private := strings.Contains(string(data), "PRIVATE KEY") || strings.Contains(string(data), "client-key-data") ||
			strings.Contains(path, "/manifests/")
		if private && info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %o", path, info.Mode().Perm())
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

package corpus

import (
	"crypto/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/kubewright/kubewright/config"
	"github.com/kubewright/kubewright/host"
	"github.com/kubewright/kubewright/manifests"
)

// What init makes of the right documents is the same: every static pod, byte for byte. manifests/kubeadm_test.go compares the rest
// of what init writes, for fewer configurations. The hash annotation, which kubeadm has not, is left out here, and
// so are second slashes in paths.
func TestStaticPods(t *testing.T) {
	k := findKubeadm(t)
	skipWithoutFacts(t)
	rendered := make(chan int, 1)
	rendered <- 0
	t.Run("documents", func(t *testing.T) {
		for _, d := range documents(t, 20) {
			c := d.forInit(t)
			if c == nil {
				continue
			}
			t.Run(d.name, func(t *testing.T) {
				t.Parallel()
				theirs := k.render(t, d.text, c.ExternalEtcd())
				if theirs == nil {
					return
				}
				for name, want := range theirs {
					want = strings.ReplaceAll(want, "//etcd\n", "/etcd\n") // a certificatesDir with a slash at its end
					if diff := cmp.Diff(want, string(render(t, c, name))); diff != "" {
						t.Errorf("%s: -kubeadm +kubewright\n%s\nof\n%s", name, diff, d.text)
					}
				}
				rendered <- <-rendered + 1
			})
		}
	})
	if n := <-rendered; n < 20 {
		t.Errorf("only %d configurations were compared", n)
	} else {
		t.Logf("%d configurations", n)
	}
}

// forInit is the configuration of init in a document; nil where there is none, or where kubeadm would ask the network or look for
// patches.
func (d document) forInit(t *testing.T) *config.Config {
	t.Helper()
	f, err := config.LoadFile([]byte(d.text), d.name, false)
	if err != nil || f.Init == nil || f.Init.Init.Patches != nil {
		return nil
	}
	c := f.Init
	if v := c.Cluster.KubernetesVersion; v == "" || config.IsVersionLabel(v) && config.LabelURL(v) != "" {
		return nil
	}
	facts := config.Dynamic{CRISocket: host.DefaultRuntime, Token: func() (string, error) { return config.NewToken(rand.Reader) }}
	facts.Version, _ = config.ResolveLabel(c.Cluster.KubernetesVersion, "")
	if facts.Hostname, err = host.Hostname(); err != nil {
		t.Fatal(err)
	}
	address, err := host.DefaultAddress(strings.Contains(c.Init.LocalAPIEndpoint.AdvertiseAddress, ":"))
	if err != nil {
		return nil
	}
	facts.AdvertiseAddress = address.String()
	if err := c.SetDefaults(facts); err != nil {
		t.Fatal(err)
	}
	if c.Validate() != nil {
		return nil
	}
	return c
}

// render lets kubeadm write the manifests into a directory of the test; nil where kubeadm refuses the document.
func (k *kubeadm) render(t *testing.T, text string, external bool) map[string]string {
	t.Helper()
	dir := openDir(t)
	file := filepath.Join(dir, "config")
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	phases := [][]string{{"control-plane", "all"}, {"etcd", "local"}}
	if external {
		phases = phases[:1]
	}
	for _, phase := range phases {
		args := append([]string{"init", "phase"}, phase...)
		if out := k.run(t, []string{"KUBEADM_INIT_DRYRUN_DIR=" + dir}, append(args, "--dry-run", "--config", file)...); !out.ok {
			return nil // TestVerdicts looks into this
		}
	}
	found := map[string]string{}
	files, _ := filepath.Glob(filepath.Join(dir, "*.yaml"))
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		found[strings.TrimSuffix(filepath.Base(file), ".yaml")] = string(data)
	}
	want := 4
	if external {
		want = 3
	}
	if len(found) != want {
		t.Errorf("kubeadm wrote %d manifests, want %d", len(found), want)
	}
	return found
}

func render(t *testing.T, c *config.Config, name string) []byte {
	t.Helper()
	n := manifests.Node{Config: c}
	for _, dir := range manifests.CADirs {
		if _, err := os.Stat(dir); err == nil {
			n.CADirs = append(n.CADirs, dir)
		}
	}
	build := map[string]func(manifests.Node) *corev1.Pod{
		config.APIServer: manifests.APIServer, config.ControllerManager: manifests.ControllerManager,
		config.Scheduler: manifests.Scheduler, config.Etcd: manifests.Etcd,
	}[name]
	if build == nil {
		t.Fatalf("kubeadm wrote a manifest %s", name)
	}
	data, err := manifests.YAML(build(n))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

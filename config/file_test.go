package config

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Every file of testdata/migrate is rewritten in the version that all commands read; beside it is what comes of it, which is
// stable: migrated again it stays the same.
func TestMigrate(t *testing.T) {
	for _, file := range files(t, "migrate") {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, kept := migrated(t, readFile(t, file))
			golden(t, goldenName("migrate", file), []byte("# kept: "+strings.Join(kept, " ")+"\n"+text))
			again, _ := migrated(t, text)
			if diff := cmp.Diff(text, again); diff != "" {
				t.Errorf("migrated twice:\n%s", diff)
			}
		})
	}
}

func migrated(t *testing.T, text string) (string, []string) {
	t.Helper()
	f, err := LoadFile([]byte(text), "file.yaml", true)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.SetDefaults(machine()); err != nil {
		t.Fatal(err)
	}
	if err := f.Validate(); err != nil {
		t.Fatal(err)
	}
	out, kept, err := f.Migrate()
	if err != nil {
		t.Fatal(err)
	}
	return string(out), kept
}

func TestLoadFileRefuses(t *testing.T) {
	const cluster = "apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\n"
	for name, tt := range map[string]struct{ text, want string }{
		"nothing":                   {"# nothing\n", "it holds no document of kubeadm.k8s.io/v1beta4"},
		"another API":               {cluster + "---\napiVersion: apps/v1\nkind: Deployment\n", "file.yaml:4: apiVersion apps/v1 is unknown: want kubeadm.k8s.io/v1beta4"},
		"experimental":              {"apiVersion: kubeadm.k8s.io/v1\nkind: ClusterConfiguration\n", "--allow-experimental-api"},
		"an unknown kind":           {"apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterStatus\n", "unknown kind ClusterStatus"},
		"a kind that nobody reads":  {cluster + "---\napiVersion: kubelet.config.k8s.io/v1beta1\nkind: CredentialProviderConfig\n", "is not read by any command"},
		"an old version":            {"apiVersion: kubeadm.k8s.io/v1beta3\nkind: ClusterConfiguration\n", "convert the file with kubeadm 1.36"},
		"a component's typo":        {cluster + "---\napiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\nmaxPod: 1\n", "unknown field maxPod"},
		"a component's typo, alone": {"apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\nmaxPod: 1\n", "unknown field maxPod"},
		"a merge in v1beta4": {
			cluster + "apiServer:\n  extraArgs:\n  - {name: v, value: '1', mergeMethod: append}\n",
			"file.yaml:5: ClusterConfiguration: unknown field apiServer.extraArgs[0].mergeMethod; only kubeadm.k8s.io/v1 has it",
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := LoadFile([]byte(tt.text), "file.yaml", false)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}

// A cluster of a CI build keeps what says so, and so does its configuration wherever it is written: it needs other images.
func TestCIBuildStays(t *testing.T) {
	const build, image = "ci/v1.37.0-rc.0.1+abc", "gcr.io/k8s-staging-ci-images/kube-proxy:v1.37.0-rc.0.1_abc"
	text := "apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\nkubernetesVersion: " + build + "\n"
	c := load(t, text)
	stored, err := c.ClusterYAML()
	if err != nil {
		t.Fatal(err)
	}
	out, _ := migrated(t, text)
	joined, err := joining(t, false).With(stored, []byte("apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n"), nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]*Config{"given": c, "read again": load(t, out), "stored": joined} {
		if got := c.Image(KubeProxy); got != image || c.Cluster.KubernetesVersion != strings.TrimPrefix(build, "ci/") {
			t.Errorf("%s: image %s of %s", name, got, c.Cluster.KubernetesVersion)
		}
		data, err := c.ClusterYAML()
		if err != nil || !strings.Contains(string(data), "kubernetesVersion: "+build+"\n") {
			t.Errorf("%s: %v\n%s", name, err, data)
		}
	}
}

// Who is told to convert a file is told first what can't be converted.
func TestExperimentalHint(t *testing.T) {
	const text = "apiVersion: kubeadm.k8s.io/v1\nkind: ClusterConfiguration\nscheduler:\n  extraArgs:\n  - {name: v, value: '1'"
	for merge, want := range map[string]bool{"": false, ", mergeMethod: append": true} {
		_, err := LoadInit([]byte(text+merge+"}\n"), "f")
		if err == nil || strings.Contains(err.Error(), "give the whole value") != want || !strings.Contains(err.Error(), "convert the file: kubewright config migrate") {
			t.Errorf("%q: %v", merge, err)
		}
	}
}

// What is wrong with a file for several commands says which of them it is about.
func TestFileValidate(t *testing.T) {
	f, err := LoadFile([]byte("apiVersion: kubeadm.k8s.io/v1\nkind: ClusterConfiguration\nclusterName: a\nscheduler:\n  extraArgs:\n"+
		"  - {name: v, value: '1', mergeMethod: insert}\n---\napiVersion: kubeadm.k8s.io/v1beta4\nkind: ResetConfiguration\ncertificatesDir: pki\n"), "f", true)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.SetDefaults(f.StandIn(nil)); err != nil {
		t.Fatal(err)
	}
	f.Init.Init.BootstrapTokens = nil
	want := `InitConfiguration: scheduler.extraArgs[0].mergeMethod: "insert" is neither append nor prepend; leave it out to replace the value` + "\n" +
		`ResetConfiguration: certificatesDir: "pki" must be an absolute path`
	if err := f.Validate(); err == nil || err.Error() != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
}

// A file can be judged without its machine and without the network, whatever the user left open.
func TestStandIn(t *testing.T) {
	token := func() (string, error) { return "abcdef.0123456789abcdef", nil }
	for name, text := range map[string]string{
		"nothing given":   "kind: InitConfiguration",
		"IPv6":            "kind: ClusterConfiguration\nnetworking: {serviceSubnet: 'fd00::/108'}",
		"any address":     "kind: InitConfiguration\nlocalAPIEndpoint: {advertiseAddress: 0.0.0.0}",
		"a label":         "kind: ClusterConfiguration\nkubernetesVersion: stable-1.36",
		"its own network": "kind: ClusterConfiguration\nnetworking: {serviceSubnet: '192.0.2.0/24'}",
		"a CI build":      "kind: ClusterConfiguration\nkubernetesVersion: ci/v1.37.0-rc.1+abc",
		"label, no dash":  "kind: ClusterConfiguration\nkubernetesVersion: latest",
	} {
		t.Run(name, func(t *testing.T) {
			f, err := LoadFile([]byte("apiVersion: kubeadm.k8s.io/v1beta4\n"+text), "f", false)
			if err != nil {
				t.Fatal(err)
			}
			if err := f.SetDefaults(f.StandIn(token)); err != nil {
				t.Fatal(err)
			}
			if err := f.Validate(); err != nil {
				t.Error(err)
			}
		})
	}
}

package templates

import (
	"strings"
	"testing"

	"github.com/coreos/go-systemd/v22/unit"
)

func TestKubeletUnit(t *testing.T) {
	got, err := KubeletUnit(Unit{KubeletPath: "/usr/local/bin/kubelet"})
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "kubelet.service", string(got))
	if first, _, _ := strings.Cut(string(got), "\n"); !strings.Contains(first, Marker) {
		t.Errorf("the first line does not say whose file it is: %s", first)
	}
	parses(t, got, "Service", "ExecStart", "/usr/local/bin/kubelet")
}

func TestKubeletDropIn(t *testing.T) {
	got, err := KubeletDropIn(DropIn{KubeletPath: "/usr/bin/kubelet"})
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "10-kubeadm.conf", string(got))
	parses(t, got, "Service", "ExecStart", "")
	parses(t, got, "Service", "EnvironmentFile", "-/var/lib/kubelet/kubeadm-flags.env")
}

// parses reads a unit as systemd's own library does and looks for one setting.
func parses(t *testing.T, text []byte, section, name, value string) {
	t.Helper()
	options, err := unit.Deserialize(strings.NewReader(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range options {
		if o.Section == section && o.Name == name && o.Value == value {
			return
		}
	}
	t.Errorf("no %s=%s in section %s", name, value, section)
}

func TestProgramPaths(t *testing.T) {
	for _, path := range []string{"", "kubelet", "./kubelet", "/opt/my kubelet", "/opt/100%/kubelet", "/opt/$HOME/kubelet", "/a\n/b", `/a"b`} {
		if _, err := KubeletUnit(Unit{KubeletPath: path}); err == nil {
			t.Errorf("%q was written into a unit", path)
		}
		if _, err := KubeletDropIn(DropIn{KubeletPath: path}); err == nil {
			t.Errorf("%q was written into a drop-in", path)
		}
	}
}

func TestKubeletFlagsEnv(t *testing.T) {
	for name, test := range map[string]struct {
		flags []string
		want  string
	}{
		"none":    {nil, `KUBELET_KUBEADM_ARGS=""`},
		"several": {[]string{"--v=4", "--node-ip=192.0.2.1"}, `KUBELET_KUBEADM_ARGS="--v=4 --node-ip=192.0.2.1"`},
		"special": {[]string{"--x=\"a\"\\b$c`d"}, "KUBELET_KUBEADM_ARGS=\"--x=\\\"a\\\"\\\\b\\$c\\`d\""},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := KubeletFlagsEnv(FlagsEnv{Flags: test.flags})
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != test.want+"\n" {
				t.Errorf("got %s want %s", got, test.want)
			}
		})
	}
	if _, err := KubeletFlagsEnv(FlagsEnv{Flags: []string{"--v=4\nLD_PRELOAD=/x"}}); err == nil {
		t.Error("a flag made a second entry in the file")
	}
}

func TestKubeletInstanceConfig(t *testing.T) {
	got, err := KubeletInstanceConfig(Instance{CRISocket: "unix:///var/run/containerd/containerd.sock"})
	if err != nil {
		t.Fatal(err)
	}
	if want := "containerRuntimeEndpoint: \"unix:///var/run/containerd/containerd.sock\"\n"; string(got) != want {
		t.Errorf("got %s want %s", got, want)
	}
}

func TestCorefile(t *testing.T) {
	got, err := Corefile(DNS{Domain: "corp.example"})
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "Corefile", string(got))
}

// A misspelt value must not become an empty text.
func TestMissingValue(t *testing.T) {
	if out, err := render("Corefile.tmpl", map[string]string{}); err == nil {
		t.Errorf("rendered without its values:\n%s", out)
	}
}

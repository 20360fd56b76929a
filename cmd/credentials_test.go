package cmd

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kubewright/kubewright/config"
)

func TestSearchCredentials(t *testing.T) {
	dir := t.TempDir()
	home, here := filepath.Join(dir, "home"), filepath.Join(dir, "here.conf")
	usual := filepath.Join(home, ".kube", "config")
	if err := os.MkdirAll(filepath.Dir(usual), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{here, usual} {
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, test := range map[string]struct {
		variable, home, want string
	}{
		"the variable before the home": {here, home, here},
		"first that is there":          {dir + "/missing:" + here, home, here},
		"empty words":                  {":" + here, home, here},
		"no variable":                  {"", home, usual},
		"nothing in it":                {":", home, usual},
	} {
		got, err := searchCredentials(&Env{Environ: []string{"KUBECONFIG=" + test.variable, "HOME=" + test.home}})
		if err != nil || got != test.want {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	if _, err := os.Stat(config.AdminKubeconfig); err == nil {
		t.Skip("this machine is a control-plane node")
	}
	// A variable that is set means these files and not those at home.
	_, err := searchCredentials(&Env{Environ: []string{"KUBECONFIG=" + dir + "/a:" + dir + "/b", "HOME=" + home}})
	if err == nil || !strings.Contains(err.Error(), "there is no "+dir+"/a, "+dir+"/b or /etc/kubernetes/admin.conf\nname a kubeconfig") {
		t.Error(err)
	}
}

func TestJoinEndpoint(t *testing.T) {
	for server, want := range map[string]string{
		"https://10.0.0.5:6443":           "10.0.0.5:6443",
		"https://lb.example.org":          "lb.example.org:443",
		"https://[fd00::5]:6443/":         "[fd00::5]:6443",
		"https://[fd00::5]":               "[fd00::5]:443",
		"https://example.org/k8s/cluster": "",
		"http://10.0.0.5:8080":            "",
		"10.0.0.5:6443":                   "",
	} {
		got, err := joinEndpoint(server, "a.conf")
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%s: %q, %v", server, got, err)
		}
	}
}

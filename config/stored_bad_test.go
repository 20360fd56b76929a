package config

import (
	"strings"
	"testing"
)

// What the cluster keeps and cannot be used is refused with the name of its ConfigMap.
func TestWithErrors(t *testing.T) {
	cluster, kubelet, proxy := storedTexts(t, "kubeadm-1.36")
	edit := func(text *string, old, with string) func() {
		return func() {
			if !strings.Contains(*text, old) {
				t.Fatalf("no %q to replace", old)
			}
			*text = strings.Replace(*text, old, with, 1)
		}
	}
	good := []string{cluster, kubelet, proxy}
	gone := false
	var said strings.Builder
	for _, tt := range []struct {
		name   string
		change func()
	}{
		{"no cluster", func() { cluster = "" }},
		{"no ConfigMap", func() { gone = true }},
		{"no kubelet", func() { kubelet = "---\n" }},
		{"nothing", func() { cluster, kubelet = "", "" }},
		{"no version", edit(&cluster, "kubernetesVersion: v1.36.3\n", "")},
		{"a label", edit(&cluster, "v1.36.3", "stable-1")},
		{"older", edit(&cluster, "v1.36.3", "v1.35.9")},
		{"newer", edit(&cluster, "v1.36.3", "v1.38.0")},
		{"old API", edit(&cluster, "v1beta4", "v1beta3")},
		{"another kind", edit(&kubelet, "kind: KubeletConfiguration", "kind: ClusterConfiguration")},
		{"twice", func() { cluster += "---\n" + cluster }},
		{"wrong types", edit(&kubelet, "staticPodPath: /etc/kubernetes/manifests", "staticPodPath: 1\nmaxPods: many\nunknown: 1")},
		{"no text", func() { proxy = "\t:" }},
		{"own address in the services", edit(&cluster, "10.96.0.0/12", "192.0.0.0/16")},
		{"services of the other family", edit(&cluster, "10.96.0.0/12", "fd00::/112")},
	} {
		cluster, kubelet, proxy = good[0], good[1], good[2]
		gone = false
		tt.change()
		text := []byte(cluster)
		if gone {
			text = nil
		}
		c, err := joining(t, true).With(text, []byte(kubelet), []byte(proxy))
		if err == nil || c != nil {
			t.Errorf("%s: no error", tt.name)
			continue
		}
		said.WriteString("# " + tt.name + "\n" + err.Error() + "\n")
	}
	golden(t, "join-with/errors.golden", []byte(said.String()))
}

// A worker has no API server, so that its address cannot be wrong.
func TestWithAddressOfWorker(t *testing.T) {
	cluster, kubelet, proxy := storedTexts(t, "kubeadm-1.36")
	cluster = strings.Replace(cluster, "10.96.0.0/12", "192.0.0.0/16", 1)
	if _, err := joining(t, false).With([]byte(cluster), []byte(kubelet), []byte(proxy)); err != nil {
		t.Error(err)
	}
}

// A caCertPath that does for the cluster's kubelets is nothing to speak of.
func TestWithCAPath(t *testing.T) {
	cluster, kubelet, _ := storedTexts(t, "own")
	for _, tt := range []struct {
		path         string
		controlPlane bool
		warned       bool
	}{{"/srv/pki/ca.crt", false, false}, {"/etc/kubernetes/pki/ca.crt", false, true}, {"/etc/kubernetes/pki/ca.crt", true, false}} {
		j := joining(t, tt.controlPlane)
		j.CACertPath = tt.path
		c, err := j.With([]byte(cluster), []byte(kubelet), nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(strings.Join(c.Warnings, "\n"), "set caCertPath: /srv/pki/ca.crt"); got != tt.warned {
			t.Errorf("%+v: warnings %q", tt, c.Warnings)
		}
	}
}

package config

import (
	"strings"
	"testing"
)

func TestParseVersion(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"v1.37.2", "v1.37.2"}, {"1.36.0", "v1.36.0"}, {"v1.37.0-rc.1", "v1.37.0-rc.1"},
		{"v1.37.0-alpha.1.22+abc", "v1.37.0-alpha.1.22+abc"},
		{"1.37", ""}, {"stable", ""}, {"", ""}, {"v1.37.x", ""}, {"v99999999.1.1", ""},
	} {
		v, err := ParseVersion(tt.in)
		if (err == nil) != (tt.want != "") || err == nil && v.String() != tt.want {
			t.Errorf("ParseVersion(%q) = %v, %v; want %q", tt.in, v, err, tt.want)
		}
	}
}

func TestCompareVersions(t *testing.T) {
	ordered := []string{"v0.99.9", "v1.36.0", "v1.36.10", "v1.37.0-alpha.1", "v1.37.0-rc.1", "v1.37.0", "v1.37.2", "v2.0.0"}
	for i, a := range ordered {
		for j, b := range ordered {
			want := max(-1, min(1, i-j))
			x, _ := ParseVersion(a)
			y, _ := ParseVersion(b)
			if got := x.Compare(y); got != want {
				t.Errorf("%s.Compare(%s) = %d, want %d", a, b, got, want)
			}
		}
	}
	x, _ := ParseVersion("v1.37.0+one")
	y, _ := ParseVersion("v1.37.0+two")
	if x.Compare(y) != 0 {
		t.Error("build metadata counts")
	}
	if !x.AtLeast(36) || !x.AtLeast(37) || x.AtLeast(38) || (Version{Major: 2}).IsZero() || !(Version{Major: 2}).AtLeast(99) {
		t.Error("AtLeast is wrong")
	}
}

func TestKubeletSkew(t *testing.T) {
	for _, tt := range []struct {
		controlPlane, kubelet string
		ok                    bool
	}{
		{"v1.37.2", "v1.37.9", true}, {"v1.37.2", "v1.34.0", true}, {"v1.37.2", "v1.33.9", false},
		{"v1.36.0", "v1.37.0", false}, {"v1.36.0", "v1.33.0", true}, {"v1.37.0", "v2.37.0", false},
	} {
		c, _ := ParseVersion(tt.controlPlane)
		k, _ := ParseVersion(tt.kubelet)
		if err := KubeletSkew(c, k); (err == nil) != tt.ok {
			t.Errorf("KubeletSkew(%s, %s) = %v, want ok %v", c, k, err, tt.ok)
		}
	}
}

func TestLabels(t *testing.T) {
	const release, ci = "https://dl.k8s.io/release/", "https://storage.googleapis.com/k8s-release-dev/ci/"
	for _, tt := range []struct{ label, url, fetched, want string }{
		{"stable", release + "stable.txt", "v1.36.4\n", "v1.36.4"},
		{"stable-1", release + "stable-1.txt", "v1.38.0", "v1.37.2"},
		{"stable-1", release + "stable-1.txt", "", "v1.37.2"},
		{"stable-1.37", release + "stable-1.37.txt", "", "v1.37.2"},
		{"stable-1.36", release + "stable-1.36.txt", "v1.36.9", "v1.36.9"},
		{"stable-1.36", release + "stable-1.36.txt", "", "cannot"},
		{"stable-1.38", release + "stable-1.38.txt", "v1.38.1", "v1.38.1"},
		{"latest", release + "latest.txt", "v1.37.3-rc.0", "v1.37.3-rc.0"},
		{"release/stable", release + "stable.txt", "v1.37.1", "v1.37.1"},
		{"ci/latest-1.37", ci + "latest-1.37.txt", "v1.37.3-5+abc", "v1.37.3-5+abc"},
		{"ci/v1.37.3-5+abc", "", "", "v1.37.3-5+abc"},
		{"stable", release + "stable.txt", "<html>", "cannot"},
		{"newest", "", "v1.37.2", "cannot"}, {"v1.37.2", "", "", "cannot"}, {"stable-2.x", "", "", "cannot"},
	} {
		if got := LabelURL(tt.label); got != tt.url {
			t.Errorf("LabelURL(%q) = %q, want %q", tt.label, got, tt.url)
		}
		got, err := ResolveLabel(tt.label, tt.fetched)
		if err != nil {
			got = err.Error()
		}
		if tt.want == "cannot" && !strings.HasPrefix(got, "cannot resolve version") || tt.want != "cannot" && got != tt.want {
			t.Errorf("ResolveLabel(%q, %q) = %q, want %q", tt.label, tt.fetched, got, tt.want)
		}
	}
}

// A label is replaced by what it was resolved to; a version that was given is not.
func TestVersionDefaults(t *testing.T) {
	for _, tt := range []struct {
		given, resolved, want string
		ci                    bool
	}{
		{"", "", "v1.37.2", false}, {"", "v1.36.3", "v1.36.3", false}, {"stable-1.36", "v1.36.3", "v1.36.3", false},
		{"1.36.1", "v1.37.0", "v1.36.1", false}, {"ci/latest", "v1.37.3-5+abc", "v1.37.3-5+abc", true},
	} {
		c, d := New(), machine()
		c.Cluster.KubernetesVersion, d.Version = tt.given, tt.resolved
		for range 2 {
			ready(t, c, d)
			if got := c.Version().String(); got != tt.want || c.CI != tt.ci {
				t.Errorf("%q resolved to %q: version %s, ci %v; want %s, %v", tt.given, tt.resolved, got, c.CI, tt.want, tt.ci)
			}
		}
	}
}

func TestSupported(t *testing.T) {
	for text, want := range map[string]bool{
		"v1.35.9": false, "v1.36.0-rc.1": false, "v1.36.0": true, "v1.37.0-alpha.1": true, "v1.37.99": true, "v1.38.0-alpha.0": false, "v2.36.0": false,
	} {
		v, err := ParseVersion(text)
		if err != nil || v.Supported() != want {
			t.Errorf("%s: %t, %v", text, v.Supported(), err)
		}
	}
}

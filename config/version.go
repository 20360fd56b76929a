package config

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/util/version"
)

const (
	// DefaultKubernetesVersion is deployed when nothing else was asked for. kubeadm asks dl.k8s.io for "stable-1" instead;
	// a fixed version needs no network and means the same tomorrow.
	DefaultKubernetesVersion = "v1.37.2"
	// MinimumMinor and MaximumMinor bound the control planes that this release can make.
	MinimumMinor = 36
	MaximumMinor = 37
	// kubeletMinors is how many minors a kubelet may be behind the API server (Kubernetes version skew policy).
	kubeletMinors = 3
)

// Version is a semantic version of Kubernetes. The zero value means that there is no (valid) version.
type Version struct {
	Major, Minor, Patch int
	// Pre is the pre-release part without its dash, Build the metadata without its plus.
	Pre, Build string
}

// ParseVersion reads "v1.37.2", with or without the v, with or without pre-release and build parts. It refuses labels.
func ParseVersion(s string) (Version, error) {
	v, err := version.ParseSemantic(s)
	if err != nil || strings.TrimSpace(s) != s || v.Minor() > 1<<16 || v.Patch() > 1<<16 || v.Major() > 1<<16 {
		return Version{}, fmt.Errorf("cannot read version %q: want the form v1.37.2", s)
	}
	return Version{int(v.Major()), int(v.Minor()), int(v.Patch()), v.PreRelease(), v.BuildMetadata()}, nil
}

// String is the canonical form, "v1.37.2-rc.1+build".
func (v Version) String() string {
	s := fmt.Sprintf("v%d.%d.%d", v.Major, v.Minor, v.Patch)
	if v.Pre != "" {
		s += "-" + v.Pre
	}
	if v.Build != "" {
		s += "+" + v.Build
	}
	return s
}

// IsZero says that there is no version.
func (v Version) IsZero() bool { return v == Version{} }

// Supported says that this release can make a control plane of v. A pre-release of the oldest minor comes before it.
func (v Version) Supported() bool {
	return v.Compare(Version{Major: 1, Minor: MinimumMinor}) >= 0 && !v.AtLeast(MaximumMinor+1)
}

// AtLeast says that v belongs to 1.minor or a later minor; a pre-release of a minor counts as that minor.
func (v Version) AtLeast(minor int) bool {
	return v.Major > 1 || v.Major == 1 && v.Minor >= minor
}

// Compare is -1, 0 or 1 in the order of semantic versions; build metadata does not count.
func (v Version) Compare(o Version) int {
	if c := cmp.Or(cmp.Compare(v.Major, o.Major), cmp.Compare(v.Minor, o.Minor), cmp.Compare(v.Patch, o.Patch)); c != 0 {
		return c
	}
	a, b := v, o
	a.Build, b.Build = "", ""
	if a == b {
		return 0
	}
	if version.MustParseSemantic(a.String()).LessThan(version.MustParseSemantic(b.String())) {
		return -1
	}
	return 1
}

// Version is the version of the control plane; zero while kubernetesVersion is empty, a label or wrong.
func (c *Config) Version() Version {
	v, err := ParseVersion(c.Cluster.KubernetesVersion)
	if err != nil {
		return Version{}
	}
	return v
}

// KubeletSkew says why a kubelet cannot run under a control plane, or nil: it must not be newer, and at most three minors
// older (https://kubernetes.io/releases/version-skew-policy/).
func KubeletSkew(controlPlane, kubelet Version) error {
	switch {
	case kubelet.Major != controlPlane.Major || kubelet.Minor > controlPlane.Minor:
		return fmt.Errorf("kubelet %s is newer than the control plane %s; install kubelet %d.%d", kubelet, controlPlane,
			controlPlane.Major, controlPlane.Minor)
	case kubelet.Minor < controlPlane.Minor-kubeletMinors:
		return fmt.Errorf("kubelet %s is more than %d minors older than the control plane %s; install kubelet %d.%d", kubelet,
			kubeletMinors, controlPlane, controlPlane.Major, controlPlane.Minor)
	}
	return nil
}

var (
	labelPattern = newPattern(`^(release/|ci/)?(stable|latest)(-[1-9](\.[1-9][0-9]*)?)?$`)
	// A CI build is named exactly as ci/v1.38.0-alpha.1.2+abcdef; there is nothing to fetch for it.
	ciPrefix = "ci/"
)

// IsVersionLabel says that s names a version indirectly ("stable", "stable-1.37", "latest", "ci/latest") or a CI build
// ("ci/v1.37.0-..."): ResolveLabel makes a version of it.
func IsVersionLabel(s string) bool {
	if labelPattern().MatchString(s) {
		return true
	}
	rest, ok := strings.CutPrefix(s, ciPrefix)
	if !ok {
		return false
	}
	_, err := ParseVersion(rest)
	return err == nil
}

// LabelURL is where the text of a label is published; empty when there is nothing to fetch.
func LabelURL(label string) string {
	if !labelPattern().MatchString(label) {
		return ""
	}
	if rest, ok := strings.CutPrefix(label, ciPrefix); ok {
		return "https://storage.googleapis.com/k8s-release-dev/ci/" + rest + ".txt"
	}
	return "https://dl.k8s.io/release/" + strings.TrimPrefix(label, "release/") + ".txt"
}

// ResolveLabel turns a label and the text found at its LabelURL into a version. Without a text, which means that the network
// could not be asked, it is DefaultKubernetesVersion; so it is when the text names a minor that this release cannot make,
// because a label means "the newest that fits". A label that asks for a certain minor is not replaced by another minor.
func ResolveLabel(label, fetched string) (string, error) {
	if !IsVersionLabel(label) {
		return "", fmt.Errorf("cannot resolve version %q: neither a version such as %s nor a label such as stable or stable-1.%d",
			label, DefaultKubernetesVersion, MaximumMinor)
	}
	if build, ok := strings.CutPrefix(label, ciPrefix); ok && LabelURL(label) == "" {
		fetched = build
	}
	want := labelMinor(label)
	fallback, _ := ParseVersion(DefaultKubernetesVersion)
	if fetched = strings.TrimSpace(fetched); fetched == "" {
		if want != 0 && want != fallback.Minor {
			return "", fmt.Errorf("cannot resolve version label %q: its text could not be fetched; give the full version, as in v1.%d.0",
				label, want)
		}
		return fallback.String(), nil
	}
	v, err := ParseVersion(fetched)
	if err != nil {
		return "", fmt.Errorf("cannot resolve version label %q: %w", label, err)
	}
	if want == 0 && LabelURL(label) != "" && v.AtLeast(MaximumMinor+1) {
		return fallback.String(), nil
	}
	return v.String(), nil
}

// labelMinor is the minor that a label insists on; 0 for none.
func labelMinor(label string) int {
	m := labelPattern().FindStringSubmatch(label)
	if m == nil || m[4] == "" {
		return 0
	}
	n, err := strconv.Atoi(m[4][1:])
	if err != nil {
		return 0
	}
	return n
}

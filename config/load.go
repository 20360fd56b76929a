package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	kubeproxyv1alpha1 "k8s.io/kube-proxy/config/v1alpha1"
	kubeletv1beta1 "k8s.io/kubelet/config/v1beta1"
)

const (
	initKind    = "InitConfiguration"
	joinKind    = "JoinConfiguration"
	resetKind   = "ResetConfiguration"
	upgradeKind = "UpgradeConfiguration"
	clusterKind = "ClusterConfiguration"
	kubeletKind = "KubeletConfiguration"
	proxyKind   = "KubeProxyConfiguration"

	kubeadmGroup = "kubeadm.k8s.io"
	kubeadmKinds = initKind + " " + clusterKind + " " + joinKind + " " + resetKind + " " + upgradeKind
)

// LoadInit reads the file of --config for init: YAML or JSON, any number of documents, InitConfiguration or
// ClusterConfiguration or both, and component configurations. name is the file's name in messages. It is strict: unknown and
// repeated fields, wrong types, unknown kinds and repeated kinds are errors, each with its line in the file, and all of them
// come together. Documents of other kubeadm commands and of foreign API groups are left out with a warning.
func LoadInit(data []byte, name string) (*Config, error) {
	c := New()
	l := loader{name: name}
	seen := l.read(data, "init", c.decoders(&l))
	c.Warnings = l.warnings
	if !seen[initKind] && !seen[clusterKind] && len(l.problems) == 0 {
		return nil, fmt.Errorf("cannot read %s: it holds neither an %s nor a %s of %s", name, initKind, clusterKind, APIVersion)
	}
	if err := l.err(); err != nil {
		return nil, err
	}
	return c, nil
}

func (c *Config) decoders(l *loader) map[string]func(document) {
	return map[string]func(document){
		initKind:    func(d document) { decode(l, d, &c.Init) },
		clusterKind: func(d document) { decode(l, d, &c.Cluster) },
		kubeletKind: func(d document) {
			c.Kubelet, c.KubeletGiven = &KubeletConfiguration{}, true
			decode(l, d, c.Kubelet)
		},
		proxyKind: func(d document) {
			c.Proxy, c.ProxyGiven = &KubeProxyConfiguration{}, true
			decode(l, d, c.Proxy)
		},
	}
}

// read gives each document of the file to the decoder of its kind, and says which kinds were there. The other documents are
// sorted out in the name of command.
func (l *loader) read(data []byte, command string, decoders map[string]func(document)) map[string]bool {
	lines, seen := map[string]int{}, map[string]bool{}
	for _, text := range split(data) {
		d, ok := l.parse(text)
		if !ok || l.unusable(d, command, decoders) {
			continue
		}
		if seen[d.kind] {
			l.add(d.kindLine, "kind %s is there twice; the first is at line %d", d.kind, lines[d.kind])
			continue
		}
		lines[d.kind], seen[d.kind] = d.kindLine, true
		decoders[d.kind](d)
	}
	return seen
}

// unusable sorts out the documents that command does not read: with a warning where kubeadm leaves them out, else as an error.
// decoders has the kinds that it reads; versions and kinds matter only where it reads something of the API group.
func (l *loader) unusable(d document, command string, decoders map[string]func(document)) bool {
	group, version, _ := strings.Cut(d.apiVersion, "/")
	var want, kinds string
	switch {
	case group == kubeadmGroup:
		want, kinds = APIVersion, kubeadmKinds
	case group == kubeletv1beta1.GroupName && decoders[kubeletKind] != nil:
		want, kinds = kubeletv1beta1.SchemeGroupVersion.String(), kubeletKind+" CredentialProviderConfig SerializedNodeConfigSource"
	case group == kubeproxyv1alpha1.GroupName && decoders[proxyKind] != nil:
		want, kinds = kubeproxyv1alpha1.SchemeGroupVersion.String(), proxyKind
	case l.whole:
		l.add(d.apiLine, "apiVersion %s is unknown: want %s, or the API of a component configuration", d.apiVersion, APIVersion)
		return true
	default:
		l.warn(d.line, "left out %s of %s: %s does not read this API", d.kind, d.apiVersion, command)
		return true
	}
	switch {
	case d.apiVersion == experimentalVersion && !l.experimental:
		l.add(d.apiLine, "apiVersion %s is experimental: want %s%s", d.apiVersion, want, l.experimentalHint(d))
	case d.apiVersion == experimentalVersion && contains(kinds, d.kind) && decoders[d.kind] != nil:
		return false
	case d.apiVersion != want && d.apiVersion != experimentalVersion:
		l.add(d.apiLine, "apiVersion %s is not supported: want %s%s", d.apiVersion, want, migration(group, version))
	case !contains(kinds, d.kind):
		l.add(d.kindLine, "unknown kind %s in %s", d.kind, group)
	case decoders[d.kind] != nil:
		return false
	case l.whole:
		l.add(d.kindLine, "%s of %s is not read by any command", d.kind, d.apiVersion)
	default:
		l.warn(d.line, "left out %s: %s does not read it", d.kind, command)
	}
	return true
}

func contains(words, word string) bool {
	for _, w := range strings.Fields(words) {
		if w == word {
			return true
		}
	}
	return false
}

// migration is the advice for old versions of kubeadm's API: the last kubeadm that could read it can also convert it.
func migration(group, version string) string {
	last := map[string]string{
		"v1alpha1": "1.11", "v1alpha2": "1.12", "v1alpha3": "1.14", "v1beta1": "1.21", "v1beta2": "1.26", "v1beta3": "1.36",
	}[version]
	if group != kubeadmGroup || last == "" {
		return ""
	}
	return "\n  convert the file with kubeadm " + last + ": kubeadm config migrate --old-config OLD --new-config NEW"
}

// experimentalHint says how a document of the experimental version is used all the same.
func (l *loader) experimentalHint(d document) string {
	if l.whole {
		return "\n  allow it with --allow-experimental-api"
	}
	hint := "\n  "
	eachMerge(d.value, nil, func(map[string]any, []string) {
		hint = "\n  give the whole value of each argument that has a mergeMethod, and no mergeMethod; then\n  "
	})
	return hint + "convert the file: kubewright config migrate --allow-experimental-api --old-config OLD --new-config NEW"
}

// err is everything that is wrong, in the order of the file.
func (l *loader) err() error {
	l.sort()
	var errs []error
	for _, p := range l.problems {
		errs = append(errs, errors.New(l.at(p.line, p.text)))
	}
	return errors.Join(errs...)
}

// forgive makes remarks of the minor problems.
func (l *loader) forgive() {
	l.sort()
	l.problems = slices.DeleteFunc(l.problems, func(p problem) bool {
		if p.minor != "" {
			l.warn(p.line, "%s; %s", p.text, p.minor)
		}
		return p.minor != ""
	})
}

package manifests

import (
	"cmp"
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	kjson "sigs.k8s.io/json"
	"sigs.k8s.io/yaml"

	"github.com/kubewright/kubewright/config"
)

// The targets of patches beside the static pods.
const (
	kubeletTarget = "kubeletconfiguration"
	coreDNSTarget = "corednsdeployment"
	proxyTarget   = "kubeproxydaemonset"
)

// PatchFile is one file of the directory of patches.
type PatchFile struct {
	// Name is the file's name below the directory of patches. What it patches is said by the part after the last slash.
	Name string
	// Data is its content.
	Data []byte
}

// Patched lays the user's patches over what kubewright renders. The zero value has no patches.
type Patched struct {
	patches []patch
	ignored []string
}

// patch is one document of a patch file.
type patch struct {
	target, kind, file string
	doc                []byte // JSON
}

// targets are what can be patched, and the type that says how lists are merged and which fields there are.
func targets() map[string]func() any {
	pod := func() any { return &corev1.Pod{} }
	return map[string]func() any{
		config.Etcd: pod, config.APIServer: pod, config.ControllerManager: pod, config.Scheduler: pod,
		kubeletTarget: func() any { return &config.KubeletConfiguration{} },
		coreDNSTarget: func() any { return &appsv1.Deployment{} },
		proxyTarget:   func() any { return &appsv1.DaemonSet{} },
	}
}

// patchName takes a file's name apart: target, suffix, plus, type, extension.
var patchName = regexp.MustCompile(`^(etcd|kube-apiserver|kube-controller-manager|kube-scheduler|kubeletconfiguration|` +
	`corednsdeployment|kubeproxydaemonset)([^+]*?)(?:(\+)(strategic|merge|json)?.*)?\.(?:yaml|json)$`)

// Patches reads patch files, called <target>[suffix][+strategic|merge|json].{yaml|json}; without a type they are strategic
// merge patches. A file can hold several documents. Files are applied in the order of their names; files with other names and
// empty ones are left out (Ignored names them). An unknown type and text that is no YAML are errors that name the file.
func Patches(files []PatchFile) (Patched, error) {
	var p Patched
	var errs []error
	sorted := slices.SortedStableFunc(slices.Values(files), func(a, b PatchFile) int { return cmp.Compare(path.Base(a.Name), path.Base(b.Name)) })
	for _, f := range sorted {
		match := patchName.FindStringSubmatch(path.Base(f.Name))
		if match == nil || len(f.Data) == 0 {
			p.ignored = append(p.ignored, f.Name)
			continue
		}
		one := patch{target: match[1], kind: match[4], file: f.Name}
		if match[3] == "" {
			one.kind = strategicPatch
		}
		list, err := documents(one, f.Data)
		if err != nil {
			errs = append(errs, fmt.Errorf("cannot read patch %s: %w", f.Name, err))
		}
		p.patches = append(p.patches, list...)
	}
	return p, errors.Join(errs...)
}

// Ignored names the files that are no patches: mostly README files and the like, sometimes a misspelt target.
func (p Patched) Ignored() []string { return p.ignored }

// Apply lays the patches for a target over a document and returns YAML. Without such patches doc comes back as it is. Fields
// that the target's type does not have are errors: a kubelet would leave them out without a word.
func (p Patched) Apply(target string, doc []byte) ([]byte, error) {
	if !p.has(target) {
		return doc, nil
	}
	obj, data, err := p.patched(target, doc)
	if err != nil {
		return nil, err
	}
	if o, ok := obj.(runtime.Object); ok {
		return YAML(o)
	}
	return yaml.JSONToYAML(data)
}

// ApplyObject lays the patches for corednsdeployment over a Deployment and those for kubeproxydaemonset over a DaemonSet. All
// other objects come back as they are.
func (p Patched) ApplyObject(target string, obj runtime.Object) (runtime.Object, error) {
	_, deployment := obj.(*appsv1.Deployment)
	_, daemonSet := obj.(*appsv1.DaemonSet)
	meant := target == coreDNSTarget && deployment || target == proxyTarget && daemonSet
	if !meant || !p.has(target) {
		return obj, nil
	}
	doc, err := YAML(obj)
	if err != nil {
		return nil, err
	}
	result, _, err := p.patched(target, doc)
	if err != nil {
		return nil, err
	}
	return result.(runtime.Object), nil
}

func (p Patched) has(target string) bool {
	return slices.ContainsFunc(p.patches, func(one patch) bool { return one.target == target })
}

// patched is the document after all patches, as the target's type and as JSON. Each result is checked, so that an error names
// the file that is to blame.
func (p Patched) patched(target string, doc []byte) (any, []byte, error) {
	data, err := yaml.YAMLToJSON(doc)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot patch %s: %w", target, err)
	}
	var obj any
	for _, one := range p.patches {
		if one.target != target {
			continue
		}
		obj = targets()[target]()
		if data, err = one.apply(data, obj); err == nil {
			err = decodeStrictly(data, obj)
		}
		if err != nil {
			return nil, nil, fmt.Errorf("cannot apply patch %s to %s: %w", one.file, target, err)
		}
	}
	return obj, data, nil
}

func decodeStrictly(data []byte, obj any) error {
	unknown, err := kjson.UnmarshalStrict(data, obj)
	return errors.Join(append(unknown, err)...)
}

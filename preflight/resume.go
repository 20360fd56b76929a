package preflight

import (
	"path/filepath"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/kubewright/kubewright/config"
)

// Resume says what is this tool's own earlier work, so that init can be run again. The zero value knows it by the manifests
// of the static pods: a port passes when the component that holds it has a manifest of ours, the kubelet's port when any has, or
// when there is none yet and the kubelet's credentials are of the CA whose key is here, and etcd's data when etcd's manifest names that directory.
type Resume struct {
	// Manifest says whether a static pod's manifest was written by this tool. Nil means: it has the annotation that tells the
	// hash of the files that the pod mounts.
	Manifest func(path string, data []byte) bool
}

// hashAnnotation is on every static pod that this tool makes, and on no other.
const hashAnnotation = "kubewright.io/mounted-files-hash"

// staticPods are the components that run as static pods, in the order in which their manifests are checked.
var staticPods = []string{config.APIServer, config.ControllerManager, config.Scheduler, config.Etcd}

func manifestPath(component string) string {
	return filepath.Join(config.ManifestsDir, component+".yaml")
}

// ownPod returns the static pod of a component as our earlier run wrote it, or nil when there is none of ours.
func (i *initChecks) ownPod(component string) *corev1.Pod {
	path := manifestPath(component)
	data, err := i.m.Host.ReadFile(path)
	if err != nil {
		return nil
	}
	pod := &corev1.Pod{}
	if err := yaml.Unmarshal(data, pod); err != nil {
		return nil
	}
	if i.resume.Manifest != nil {
		if i.resume.Manifest(path, data) {
			return pod
		}
		return nil
	}
	if _, ours := pod.Annotations[hashAnnotation]; ours {
		return pod
	}
	return nil
}

// anyOwnPod says whether an earlier run of ours came as far as the manifests.
func (i *initChecks) anyOwnPod() bool {
	for _, component := range staticPods {
		if i.ownPod(component) != nil {
			return true
		}
	}
	return false
}

// beginsCluster says that an earlier run of init came as far as the kubelet, and not to manifests: there is none, and the kubelet's
// credentials are of the CA that the cluster is to have, with its key.
func (i *initChecks) beginsCluster() bool {
	if i.join != nil || slices.ContainsFunc(staticPods, func(component string) bool { return i.m.Host.Exists(manifestPath(component)) }) {
		return false
	}
	dir := i.c.Cluster.CertificatesDir
	ca, err := i.m.Host.ReadFile(dir + "/ca.crt")
	return err == nil && i.m.Host.Exists(dir+"/ca.key") && i.trusts(config.KubeletKubeconfig, ca)
}

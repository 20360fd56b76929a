package manifests

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubewright/kubewright/config"
)

// systemCerts is where most distributions keep their root certificates; it is always mounted.
const systemCerts = "/etc/ssl/certs"

// mount is a path of the host in a pod, at the same path unless the user says otherwise.
type mount struct {
	name, hostPath, mountPath string
	kind                      corev1.HostPathType
	readOnly                  bool
}

// mounts are those of one pod.
type mounts []mount

// readDir and readFile add what the component reads; what is not there is made, empty, so that the pod can start.
func (m *mounts) readDir(name, p string) {
	*m = append(*m, mount{name, p, p, corev1.HostPathDirectoryOrCreate, true})
}

func (m *mounts) readFile(name, p string) {
	*m = append(*m, mount{name, p, p, corev1.HostPathFileOrCreate, true})
}

func (m *mounts) writeDir(name, p string) {
	*m = append(*m, mount{name, p, p, corev1.HostPathDirectoryOrCreate, false})
}

// extra adds the user's volumes, which take the place of ours with the same name, and sorts all by name.
func (m *mounts) extra(list []config.HostPathMount) {
	for _, e := range list {
		*m = slices.DeleteFunc(*m, func(have mount) bool { return have.name == e.Name })
		*m = append(*m, mount{e.Name, e.HostPath, e.MountPath, e.PathType, e.ReadOnly})
	}
	slices.SortFunc(*m, func(a, b mount) int { return cmp.Compare(a.name, b.name) })
}

func (m mounts) mounts() []corev1.VolumeMount {
	list := make([]corev1.VolumeMount, 0, len(m))
	for _, v := range m {
		list = append(list, corev1.VolumeMount{Name: v.name, MountPath: v.mountPath, ReadOnly: v.readOnly})
	}
	return list
}

// volumes are always sorted by name.
func (m mounts) volumes() []corev1.Volume {
	list := make([]corev1.Volume, 0, len(m))
	for _, v := range m {
		list = append(list, hostVolume(v.name, v.hostPath, &v.kind))
	}
	slices.SortFunc(list, func(a, b corev1.Volume) int { return cmp.Compare(a.Name, b.Name) })
	return list
}

func hostVolume(name, p string, kind *corev1.HostPathType) corev1.Volume {
	return corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{
		HostPath: &corev1.HostPathVolumeSource{Path: p, Type: kind},
	}}
}

// certMounts are the PKI and the machine's root certificates, for the components that verify others.
func (n Node) certMounts() mounts {
	var m mounts
	m.readDir("ca-certs", systemCerts)
	m.readDir("k8s-certs", n.Config.Cluster.CertificatesDir)
	for _, dir := range n.CADirs {
		m.readDir(strings.ReplaceAll(strings.TrimPrefix(dir, "/"), "/", "-"), dir)
	}
	return m
}

// etcdCertMounts are the directories of an external etcd's files that no other mount shows.
func (n Node) etcdCertMounts() mounts {
	e := n.Config.Cluster.Etcd.External
	if e == nil {
		return nil
	}
	shown := append([]string{systemCerts, n.Config.Cluster.CertificatesDir}, n.CADirs...)
	var dirs []string
	for _, file := range []string{e.CAFile, e.CertFile, e.KeyFile} {
		if file != "" && !below(path.Dir(file), shown) {
			dirs = append(dirs, path.Dir(file))
		}
	}
	slices.Sort(dirs)
	dirs = slices.Compact(dirs)
	var m mounts
	for _, dir := range dirs {
		others := slices.DeleteFunc(slices.Clone(dirs), func(d string) bool { return d == dir })
		if !below(dir, others) {
			m.readDir(fmt.Sprintf("etcd-certs-%d", len(m)), dir)
		}
	}
	return m
}

// below says that dir is one of the others or inside of one.
func below(dir string, others []string) bool {
	return slices.ContainsFunc(others, func(other string) bool {
		return dir == other || strings.HasPrefix(dir, strings.TrimSuffix(other, "/")+"/")
	})
}

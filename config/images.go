package config

const (
	// DefaultImageRepository is the registry of the Kubernetes project.
	DefaultImageRepository = "registry.k8s.io"
	ciImageRepository      = "gcr.io/k8s-staging-ci-images"
	// MinimumExternalEtcd is the oldest etcd that somebody else may run for us.
	MinimumExternalEtcd = "3.5.24"
)

// imageTags are the images that do not carry the version of Kubernetes.
type imageTags struct {
	etcd, coreDNS, pause string
}

// tagsFor gives the tags for a control plane. kubeadm 1.37 deploys the same ones to 1.36 and 1.37; they differ again when a
// new release adds a minor.
func tagsFor(Version) imageTags {
	return imageTags{etcd: "3.7.0-0", coreDNS: "v1.14.6", pause: "3.10.2"}
}

// Images of a version may hold only these characters (OCI distribution: tags); the plus of a build becomes an underscore.
var notInTags = newPattern(`[^-\w.]`)

// Image is the reference of a component's image: kube-apiserver, kube-controller-manager, kube-scheduler, kube-proxy, etcd,
// coredns or pause. An empty string means that there is no such component.
func (c *Config) Image(component string) string {
	repository, tags := c.Cluster.ImageRepository, tagsFor(c.Version())
	switch component {
	case APIServer, ControllerManager, Scheduler, KubeProxy:
		if c.CI && repository == DefaultImageRepository {
			repository = ciImageRepository
		}
		return repository + "/" + component + ":" + notInTags().ReplaceAllString(c.Cluster.KubernetesVersion, "_")
	case CoreDNS:
		return c.Cluster.DNS.ImageMeta.or(repository, tags.coreDNS).coreDNS()
	case Etcd:
		meta := ImageMeta{}
		if c.Cluster.Etcd.Local != nil {
			meta = c.Cluster.Etcd.Local.ImageMeta
		}
		meta = meta.or(repository, tags.etcd)
		return meta.ImageRepository + "/" + Etcd + ":" + meta.ImageTag
	case Pause:
		return repository + "/" + Pause + ":" + tags.pause
	}
	return ""
}

// Images are the images that a control-plane node needs, in kubeadm's order; without those of disabled addons and without
// etcd's when etcd is external.
func (c *Config) Images() []string {
	components := []string{APIServer, ControllerManager, Scheduler}
	if !c.Cluster.Proxy.Disabled {
		components = append(components, KubeProxy)
	}
	if !c.Cluster.DNS.Disabled {
		components = append(components, CoreDNS)
	}
	components = append(components, Pause)
	if !c.ExternalEtcd() {
		components = append(components, Etcd)
	}
	images := make([]string, 0, len(components))
	for _, component := range components {
		images = append(images, c.Image(component))
	}
	return images
}

func (m ImageMeta) or(repository, tag string) ImageMeta {
	if m.ImageRepository == "" {
		m.ImageRepository = repository
	}
	if m.ImageTag == "" {
		m.ImageTag = tag
	}
	return m
}

// coreDNS is the reference of CoreDNS's image, which registry.k8s.io alone keeps one folder down.
func (m ImageMeta) coreDNS() string {
	repository := m.ImageRepository
	if repository == DefaultImageRepository {
		repository += "/" + CoreDNS
	}
	return repository + "/" + CoreDNS + ":" + m.ImageTag
}

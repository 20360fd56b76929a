package config

import (
	"net/url"
	"path"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// caCertificateFile is the cluster's CA certificate in a directory of certificates.
const caCertificateFile = "ca.crt"

// SetDefaults fills every field that was left out. Doing it twice is the same as doing it once. Wrong values are left alone
// for Validate. It uses the machine's part of d; versions and new tokens have no place in a join. The error is always nil, for
// the sake of one signature with Config.
func (j *Join) SetDefaults(d Dynamic) error {
	j.TypeMeta = metav1.TypeMeta{APIVersion: APIVersion, Kind: joinKind}
	j.SystemdResolved = j.SystemdResolved || d.SystemdResolved
	setDefault(&j.CACertPath, path.Join(DefaultCertificatesDir, caCertificateFile))
	j.NodeRegistration.setDefaults(d, j.ControlPlaneJoin(), j.warn)
	j.Discovery.setDefaults()
	if b := j.Discovery.BootstrapToken; b != nil && b.UnsafeSkipCAVerification && len(b.CACertHashes) > 0 {
		j.warn("discovery.bootstrapToken.unsafeSkipCAVerification: it does nothing beside caCertHashes, which are checked; leave it out")
	}
	if e := j.ControlPlane; e != nil {
		setDefault(&e.LocalAPIEndpoint.BindPort, defaultBindPort)
		e.LocalAPIEndpoint.defaultAddress(d.AdvertiseAddress)
	}
	if j.Timeouts == nil {
		j.Timeouts = &Timeouts{}
	}
	j.Timeouts.setDefaults()
	return nil
}

func (d *Discovery) setDefaults() {
	if b := d.BootstrapToken; b != nil {
		setDefault(&d.TLSBootstrapToken, b.Token)
		// Pins are compared as text further on.
		for i, pin := range b.CACertHashes {
			b.CACertHashes[i] = strings.ToLower(pin)
		}
	}
	if d.File != nil {
		if u, err := url.Parse(d.File.KubeConfigPath); err == nil && u.Scheme == "file" && u.Host == "" {
			d.File.KubeConfigPath = u.Path
		}
	}
}

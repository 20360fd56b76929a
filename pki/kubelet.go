package pki

import (
	"crypto/x509"
	"fmt"
	"path"

	clientcmdapi "k8s.io/client-go/tools/clientcmd/api/v1"
	"sigs.k8s.io/yaml"

	"github.com/kubewright/kubewright/config"
)

// kubelet keeps or makes the kubelet's credentials in the form that the kubelet itself gives them after its first rotation:
// a dated PEM file with certificate and key, a link to the current one, and a kubeconfig that refers to the link.
func (s *Set) kubelet(row Row) ([]File, error) {
	name := s.kubeconfigPath(row)
	have, err := s.read(name)
	if err != nil {
		return nil, err
	}
	ca, bundle, err := s.signer(row)
	if err != nil {
		return nil, err
	}
	if have != nil {
		kept, why, err := s.keepKubelet(row, name, have, bundle)
		if err != nil {
			return nil, err
		}
		if kept {
			return []File{{Path: name, Mode: 0o600, Data: have, Secret: true}}, nil
		}
		return s.makeKubelet(row, ca, bundle, why)
	}
	return s.makeKubelet(row, ca, bundle, "")
}

// keepKubelet says whether kubelet.conf and what it refers to are good, and if not, why.
func (s *Set) keepKubelet(row Row, name string, have []byte, bundle []*x509.Certificate) (kept bool, why string, err error) {
	if why, err = s.checkKubeconfig(row, name, have, bundle); err != nil || why != "" {
		return false, why, err
	}
	kc, err := parseKubeconfig(have)
	if err != nil {
		return false, "", unusable(name, err)
	}
	certPEM := kc.auth.ClientCertificateData
	if file := kc.auth.ClientCertificate; len(certPEM) == 0 && file != "" {
		if certPEM = s.Data(file); certPEM == nil {
			return false, "its client certificate " + file + " is not there", nil
		}
	}
	if len(certPEM) == 0 {
		return true, "", nil
	}
	cert, err := parseCert(certPEM)
	if err != nil {
		return false, "its client certificate is damaged", nil
	}
	if node := nodeOf(cert); node != nodeName(s.in.Config) {
		return false, "", fmt.Errorf("cannot use %s: it is for node %s, but this node is to be %s; reset the node first, "+
			"or set nodeRegistration.name to %s", name, node, nodeName(s.in.Config), node)
	}
	if s.in.Now.After(cert.NotAfter) {
		return false, "its client certificate expired on " + day(cert.NotAfter), nil
	}
	return true, "", nil
}

// makeKubelet makes the three files. A good PEM file that an interrupted run left is used.
func (s *Set) makeKubelet(row Row, ca pair, bundle []*x509.Certificate, why string) ([]File, error) {
	link := config.KubeletClientCertificate
	conf, err := s.encodeKubeconfig(row, ca, clientcmdapi.AuthInfo{ClientCertificate: link, ClientKey: link})
	if err != nil {
		return nil, err
	}
	confFile := File{Path: s.kubeconfigPath(row), Mode: 0o600, Data: conf, Secret: true, Why: why}
	if s.goodPEM(row, link, bundle) {
		return []File{confFile}, nil
	}
	if ca.key == nil {
		return nil, fmt.Errorf("cannot make %s: the CA's key %s is not here; bring the kubeconfig", confFile.Path, ca.keyPath)
	}
	p := pair{}
	if err := s.needKey(&p); err != nil {
		return nil, err
	}
	cert, err := s.issue(row, ca, p.key.Public(), ca.cert.NotBefore)
	if err != nil {
		return nil, err
	}
	dated := path.Join(config.KubeletPKIDir, "kubelet-client-"+s.in.Now.UTC().Format("2006-01-02-15-04-05")+".pem")
	return []File{
		{Path: dated, Mode: 0o600, Data: append(encodeCert(cert), p.keyPEM...), Secret: true},
		{Path: link, Link: dated},
		confFile,
	}, nil
}

// goodPEM says whether a PEM file holds a certificate of this node and its key.
func (s *Set) goodPEM(row Row, name string, bundle []*x509.Certificate) bool {
	data := s.Data(name)
	cert, err := parseCert(data)
	if err != nil {
		return false
	}
	key, err := parseKey(data)
	return err == nil && samePublic(cert.PublicKey, key.Public()) && signedBy(cert, bundle) &&
		cert.Subject.CommonName == row.cn(s.in.Config) && s.in.Now.Before(cert.NotAfter)
}

// KubeletFinalize returns kubelet.conf, changed to refer to the certificate that the kubelet rotates, where it still holds
// its own copy although the kubelet has rotated; otherwise nothing.
func (s *Set) KubeletFinalize() ([]File, error) {
	name := path.Join(s.in.KubeconfigDir, "kubelet.conf")
	have, err := s.read(name)
	if err != nil || have == nil || s.Data(config.KubeletClientCertificate) == nil {
		return nil, err
	}
	kc, err := parseKubeconfig(have)
	if err != nil {
		return nil, unusable(name, err)
	}
	if len(kc.auth.ClientCertificateData) == 0 {
		return nil, nil
	}
	var whole clientcmdapi.Config
	if err := yaml.Unmarshal(have, &whole); err != nil {
		return nil, unusable(name, fmt.Errorf("it is no kubeconfig"))
	}
	for i := range whole.AuthInfos {
		auth := &whole.AuthInfos[i].AuthInfo
		auth.ClientCertificateData, auth.ClientKeyData = nil, nil
		auth.ClientCertificate, auth.ClientKey = config.KubeletClientCertificate, config.KubeletClientCertificate
	}
	data, err := yaml.Marshal(whole)
	if err != nil {
		return nil, err
	}
	return []File{{Path: name, Mode: 0o600, Data: data, Secret: true, Why: "should refer to the certificate that the kubelet rotates"}}, nil
}

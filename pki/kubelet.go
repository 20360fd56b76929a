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
// a dated PEM file with certificate and key, a link to the current one, and a kubeconfig that refers to the link. A kubeconfig
// for elsewhere (KubeconfigDir) holds them itself, as kubeadm's does: this machine's kubelet has nothing to do with it.
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
	why := ""
	if have != nil {
		if why, err = s.replaceKubelet(row, name, have, ca, bundle); err != nil {
			return nil, err
		}
		if why == "" {
			return []File{{Path: name, Mode: 0o600, Data: have, Secret: true}}, nil
		}
	}
	if s.in.KubeconfigDir != config.KubernetesDir {
		return s.embedded(row, ca, why)
	}
	return s.linked(row, ca, bundle, why)
}

// replaceKubelet says why kubelet.conf or what it refers to must be made again; empty to keep it.
func (s *Set) replaceKubelet(row Row, name string, have []byte, ca pair, bundle []*x509.Certificate) (why string, err error) {
	if why, err = s.checkKubeconfig(row, name, have, bundle); err != nil || why != "" {
		return why, err
	}
	kc, err := parseKubeconfig(have)
	if err != nil {
		return "", unusable(name, err)
	}
	certPEM := kc.auth.ClientCertificateData
	if file := kc.auth.ClientCertificate; len(certPEM) == 0 && file != "" {
		if certPEM = s.Data(file); certPEM == nil {
			return "its client certificate " + file + " is not there", nil
		}
	}
	if len(certPEM) == 0 {
		return "", nil
	}
	cert, err := parseCert(certPEM)
	if err != nil {
		return "its client certificate is damaged", nil
	}
	if node := nodeOf(cert); node != nodeName(s.in.Config) {
		return "", fmt.Errorf("cannot use %s: it is for node %s, but this node is to be %s; reset the node first, "+
			"or set nodeRegistration.name to %s", name, node, nodeName(s.in.Config), node)
	}
	if s.in.Now.After(cert.NotAfter) {
		return "its client certificate expired on " + day(cert.NotAfter), nil
	}
	link := s.in.Config.KubeletClientPEM()
	if left := kc.auth.ClientCertificate; path.Base(left) == config.KubeletClientLink && left != link &&
		(ca.key != nil || s.goodPEM(row, link, bundle)) {
		return "the kubelet rotates its certificate in " + path.Dir(link) + " (cert-dir)", nil
	}
	return "", nil
}

// linked makes the three files. A good PEM file that an interrupted run left is used: its name follows from the certificate's
// beginning, which is the CA's, so that every run looks at the same place.
func (s *Set) linked(row Row, ca pair, bundle []*x509.Certificate, why string) ([]File, error) {
	link := s.in.Config.KubeletClientPEM()
	conf, err := s.encodeKubeconfig(row, ca, clientcmdapi.AuthInfo{ClientCertificate: link, ClientKey: link})
	if err != nil {
		return nil, err
	}
	confFile := File{Path: s.kubeconfigPath(row), Mode: 0o600, Data: conf, Secret: true, Why: why}
	if s.goodPEM(row, link, bundle) {
		return []File{confFile}, nil
	}
	if err := s.otherNode(link); err != nil {
		return nil, err
	}
	dated := path.Join(path.Dir(link), "kubelet-client-"+ca.cert.NotBefore.UTC().Format("2006-01-02-15-04-05")+".pem")
	pem := File{Path: dated, Mode: 0o600, Data: s.Data(dated), Secret: true}
	if !s.goodPEM(row, dated, bundle) {
		cert, key, err := s.credentials(row, ca)
		if err != nil {
			return nil, err
		}
		pem.Data = append(cert, key...)
	}
	return []File{pem, {Path: link, Link: dated}, confFile}, nil
}

// otherNode refuses to take the place of a certificate that is another node's.
func (s *Set) otherNode(link string) error {
	cert, err := parseCert(s.Data(link))
	if err != nil {
		return nil //nolint:nilerr // nothing is there, or nothing that a kubelet could use
	}
	if node := nodeOf(cert); node != nodeName(s.in.Config) {
		return fmt.Errorf("cannot replace %s: it is the certificate of node %s, but this node is to be %s; reset the node first, "+
			"or set nodeRegistration.name to %s", link, node, nodeName(s.in.Config), node)
	}
	return nil
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
	link := s.in.Config.KubeletClientPEM()
	if err != nil || have == nil || s.Data(link) == nil {
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
		auth.ClientCertificate, auth.ClientKey = link, link
	}
	data, err := yaml.Marshal(whole)
	if err != nil {
		return nil, err
	}
	return []File{{Path: name, Mode: 0o600, Data: data, Secret: true, Why: "should refer to the certificate that the kubelet rotates"}}, nil
}

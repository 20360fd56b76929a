package cluster

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"strings"

	"k8s.io/client-go/tools/clientcmd"
)

// Access is what the current context of a kubeconfig says of a cluster and of who talks to it.
type Access struct {
	// Server is the URL of the API server, and CA holds the certificates that it is trusted by, in PEM; nil when there are none.
	Server string
	CA     []byte
	// ClientCert is the client's certificate in PEM; nil when there is none or when its file can't be read.
	ClientCert []byte
}

// ReadAccess takes a kubeconfig apart. Files that it names are read with read, by the paths that stand in it.
func ReadAccess(kubeconfig []byte, read func(path string) ([]byte, error)) (*Access, error) {
	all, err := clientcmd.Load(kubeconfig)
	if err != nil {
		return nil, err
	}
	current := all.Contexts[all.CurrentContext]
	if current == nil || all.Clusters[current.Cluster] == nil {
		return nil, errors.New("its current context names no cluster")
	}
	c := all.Clusters[current.Cluster]
	a := &Access{Server: c.Server, CA: c.CertificateAuthorityData}
	if len(a.CA) == 0 && c.CertificateAuthority != "" {
		if a.CA, err = read(c.CertificateAuthority); err != nil {
			return nil, err
		}
	}
	if user := all.AuthInfos[current.AuthInfo]; user != nil {
		if a.ClientCert = user.ClientCertificateData; len(a.ClientCert) == 0 && user.ClientCertificate != "" {
			a.ClientCert, _ = read(user.ClientCertificate)
		}
	}
	return a, nil
}

// NodeUser is what the names of all kubelets begin with, as users of the API.
const NodeUser = "system:node:"

// Node is the name of the node whose kubelet has the client's certificate; empty when it is nobody's or another user's.
func (a *Access) Node() string {
	for block, rest := pem.Decode(a.ClientCert); block != nil; block, rest = pem.Decode(rest) {
		if cert, err := x509.ParseCertificate(block.Bytes); err == nil && strings.HasPrefix(cert.Subject.CommonName, NodeUser) {
			return strings.TrimPrefix(cert.Subject.CommonName, NodeUser)
		}
	}
	return ""
}

package pki

import (
	"errors"
	"fmt"
	"time"

	clientcmdapi "k8s.io/client-go/tools/clientcmd/api/v1"

	"github.com/kubewright/kubewright/config"
)

// User is somebody for whom a kubeconfig is made.
type User struct {
	// Name is how the cluster knows the user, and Groups what the user is a member of. They count in a certificate only.
	Name   string
	Groups []string
	// Token, when set, is put into the kubeconfig in place of a certificate.
	Token string
	// Validity is how long the certificate is good.
	Validity time.Duration
}

// UserKubeconfig makes a kubeconfig with the address that all control planes share. It does not write anything. Until is when its
// certificate expires, which is not later than its CA; zero for a token. It needs the CA's certificate, and for a certificate the key,
// too.
func (s *Set) UserKubeconfig(u User) (data []byte, until time.Time, err error) {
	row := Row{
		Name: u.Name, file: "kubeconfig of " + u.Name, ca: Certificates()[0].Name, cn: always(u.Name), org: u.Groups, usages: client,
		endpoint: (*config.Config).ControlPlaneURL,
	}
	ca, _, err := s.signer(row)
	if err != nil {
		return nil, until, err
	}
	auth := clientcmdapi.AuthInfo{Token: u.Token}
	if u.Token == "" {
		if ca.key == nil {
			return nil, until, fmt.Errorf("cannot sign the certificate of %s: the CA's key %s is not here; give a --token, or have a certificate signed elsewhere",
				u.Name, ca.keyPath)
		}
		if until = s.in.Now.Add(u.Validity); until.After(ca.cert.NotAfter) {
			until = ca.cert.NotAfter
		}
		if !until.After(s.in.Now) {
			return nil, until, errors.New("cannot make a certificate that has expired already: --validity-period must be positive")
		}
		auth.ClientCertificateData, auth.ClientKeyData, err = s.credentialsUntil(row, ca, until)
		if err != nil {
			return nil, until, err
		}
	}
	data, err = s.encodeKubeconfig(row, ca, auth)
	return data, until, err
}

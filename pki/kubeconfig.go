package pki

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"path"
	"strings"
	"time"

	clientcmdapi "k8s.io/client-go/tools/clientcmd/api/v1"
	"sigs.k8s.io/yaml"
)

func (s *Set) kubeconfigPath(row Row) string { return path.Join(s.in.KubeconfigDir, row.file) }

// kubeconfig keeps or makes a kubeconfig with its credentials inside.
func (s *Set) kubeconfig(row Row) ([]File, error) {
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
		if why, err = s.checkKubeconfig(row, name, have, bundle); err != nil {
			return nil, err
		}
		if why == "" {
			return []File{{Path: name, Mode: 0o600, Data: have, Secret: true}}, nil
		}
	}
	return s.embedded(row, ca, why)
}

// embedded makes a kubeconfig with its credentials inside.
func (s *Set) embedded(row Row, ca pair, why string) ([]File, error) {
	cert, key, err := s.credentials(row, ca)
	if err != nil {
		return nil, err
	}
	data, err := s.encodeKubeconfig(row, ca, clientcmdapi.AuthInfo{ClientCertificateData: cert, ClientKeyData: key})
	if err != nil {
		return nil, err
	}
	return []File{{Path: s.kubeconfigPath(row), Mode: 0o600, Data: data, Secret: true, Why: why}}, nil
}

// credentials makes a client certificate and its key, as PEM.
func (s *Set) credentials(row Row, ca pair) (cert, key []byte, err error) {
	if ca.key == nil {
		return nil, nil, fmt.Errorf("cannot make %s: the CA's key %s is not here; bring the kubeconfig", s.kubeconfigPath(row), ca.keyPath)
	}
	return s.credentialsUntil(row, ca, s.in.Now.Add(s.in.Config.Cluster.CertificateValidityPeriod.Duration))
}

func (s *Set) credentialsUntil(row Row, ca pair, until time.Time) (cert, key []byte, err error) {
	p := pair{}
	if err := s.needKey(&p); err != nil {
		return nil, nil, err
	}
	signed, err := s.issue(row, ca, p.key.Public(), ca.cert.NotBefore, until)
	if err != nil {
		return nil, nil, err
	}
	return encodeCert(signed), p.keyPEM, nil
}

// encodeKubeconfig is the kubeconfig for a user: one cluster, one context.
func (s *Set) encodeKubeconfig(row Row, ca pair, auth clientcmdapi.AuthInfo) ([]byte, error) {
	user := row.user
	if user == "" {
		user = row.cn(s.in.Config)
	}
	cluster := s.in.Config.Cluster.ClusterName
	context := user + "@" + cluster
	return yaml.Marshal(clientcmdapi.Config{
		Kind: "Config", APIVersion: "v1", CurrentContext: context,
		Clusters: []clientcmdapi.NamedCluster{{Name: cluster, Cluster: clientcmdapi.Cluster{
			Server: row.endpoint(s.in.Config), CertificateAuthorityData: ca.certPEM,
		}}},
		Contexts:  []clientcmdapi.NamedContext{{Name: context, Context: clientcmdapi.Context{Cluster: cluster, AuthInfo: user}}},
		AuthInfos: []clientcmdapi.NamedAuthInfo{{Name: user, AuthInfo: auth}},
	})
}

// current is what the current context of a kubeconfig refers to.
type current struct {
	cluster clientcmdapi.Cluster
	auth    clientcmdapi.AuthInfo
}

// parseKubeconfig reads a kubeconfig. Its errors never quote the file.
func parseKubeconfig(data []byte) (current, error) {
	var c clientcmdapi.Config
	if err := yaml.Unmarshal(data, &c); err != nil {
		return current{}, fmt.Errorf("it is no kubeconfig")
	}
	for _, ctx := range c.Contexts {
		if ctx.Name != c.CurrentContext {
			continue
		}
		var found current
		var hasCluster, hasUser bool
		for _, n := range c.Clusters {
			if n.Name == ctx.Context.Cluster {
				found.cluster, hasCluster = n.Cluster, true
			}
		}
		for _, n := range c.AuthInfos {
			if n.Name == ctx.Context.AuthInfo {
				found.auth, hasUser = n.AuthInfo, true
			}
		}
		if hasCluster && hasUser {
			return found, nil
		}
	}
	return current{}, fmt.Errorf("its current-context names no context with a cluster and a user")
}

// checkKubeconfig says why a kubeconfig that is there must be made again; empty to keep it. One of another cluster is refused.
func (s *Set) checkKubeconfig(row Row, name string, have []byte, bundle []*x509.Certificate) (string, error) {
	kc, err := parseKubeconfig(have)
	if err != nil {
		return "", unusable(name, err)
	}
	caPEM := kc.cluster.CertificateAuthorityData
	if len(caPEM) == 0 && kc.cluster.CertificateAuthority != "" {
		caPEM = s.Data(kc.cluster.CertificateAuthority)
	}
	if len(caPEM) == 0 {
		return "", unusable(name, fmt.Errorf("it holds no CA certificate"))
	}
	if !shares(allCerts(caPEM), bundle) {
		return "", unusable(name, fmt.Errorf("its CA is not the CA of this cluster"))
	}
	if want := row.endpoint(s.in.Config); kc.cluster.Server != want {
		s.warn("%s is kept, but it names the server %s where %s would be written", name, kc.cluster.Server, want)
	}
	return s.checkCredentials(name, kc.auth)
}

func (s *Set) checkCredentials(name string, auth clientcmdapi.AuthInfo) (string, error) {
	if len(auth.ClientCertificateData) == 0 {
		return "", nil // a token, a plugin or files: the user's own choice
	}
	cert, err := parseCert(auth.ClientCertificateData)
	if err != nil {
		return "", unusable(name, fmt.Errorf("its client certificate: %w", err))
	}
	key, err := parseKey(auth.ClientKeyData)
	if err != nil {
		return "", unusable(name, fmt.Errorf("its client key: %w", err))
	}
	if !samePublic(cert.PublicKey, key.Public()) {
		return "", unusable(name, fmt.Errorf("its client key does not belong to its client certificate"))
	}
	if s.in.Now.After(cert.NotAfter) {
		return "its client certificate expired on " + day(cert.NotAfter), nil
	}
	return "", nil
}

// shares says whether two bundles have a certificate in common.
func shares(a, b []*x509.Certificate) bool {
	for _, x := range a {
		for _, y := range b {
			if bytes.Equal(x.Raw, y.Raw) {
				return true
			}
		}
	}
	return false
}

// nodeOf is the node that a kubelet's certificate is for.
func nodeOf(cert *x509.Certificate) string {
	return strings.TrimPrefix(cert.Subject.CommonName, "system:node:")
}

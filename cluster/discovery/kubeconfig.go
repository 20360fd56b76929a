package discovery

import (
	"errors"
	"fmt"
	"net/url"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/kubewright/kubewright/config"
)

// The names in the kubeconfig of a joining machine, as kubeadm has them.
const (
	clusterName = "kubernetes"
	tokenUser   = "tls-bootstrap-token-user"
)

// kubeconfig is what counts of a kubeconfig: one cluster, and at most one user with the name.
type kubeconfig struct {
	name, userName string
	cluster        *clientcmdapi.Cluster
	user           *clientcmdapi.AuthInfo
}

// load reads a kubeconfig. The cluster is that of the current context or, as in cluster-info, one without a name or the only one.
func load(data []byte) (*kubeconfig, error) {
	if err := config.CheckYAML(data); err != nil {
		return nil, err
	}
	all, err := clientcmd.Load(data)
	if err != nil {
		return nil, err
	}
	k := &kubeconfig{name: clusterName, userName: tokenUser, user: &clientcmdapi.AuthInfo{}}
	current := all.Contexts[all.CurrentContext]
	switch {
	case all.Clusters[""] != nil:
		k.cluster = all.Clusters[""]
	case current != nil && all.Clusters[current.Cluster] != nil:
		k.name, k.cluster = current.Cluster, all.Clusters[current.Cluster]
	case current != nil || len(all.Clusters) != 1:
		return nil, errors.New("its current-context names no cluster")
	}
	for name, only := range all.Clusters {
		if k.cluster == nil {
			k.name, k.cluster = name, only
		}
	}
	if current != nil && current.AuthInfo != "" {
		if k.userName, k.user = current.AuthInfo, all.AuthInfos[current.AuthInfo]; k.user == nil {
			return nil, fmt.Errorf("its current-context names the user %q, who is not in it", current.AuthInfo)
		}
	}
	u, err := url.Parse(k.cluster.Server)
	if err != nil || u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("its server is %q, not an https URL", k.cluster.Server)
	}
	return k, nil
}

// parse reads cluster-info's kubeconfig.
func parse(data []byte) (*kubeconfig, error) {
	k, err := load(data)
	if err != nil {
		return nil, fmt.Errorf("the kubeconfig in cluster-info is of no use: %w", err)
	}
	if len(certificates(k.cluster.CertificateAuthorityData)) == 0 {
		return nil, errors.New("the kubeconfig in cluster-info holds no CA certificate")
	}
	// Nothing else counts: neither names nor users, and no settings for the connection.
	return &kubeconfig{name: clusterName, cluster: &clientcmdapi.Cluster{
		Server: k.cluster.Server, CertificateAuthorityData: k.cluster.CertificateAuthorityData,
	}}, nil
}

// with is the kubeconfig with a token as credentials.
func (k *kubeconfig) with(userName, token string) ([]byte, error) {
	return (&kubeconfig{name: k.name, cluster: k.cluster, userName: userName, user: &clientcmdapi.AuthInfo{Token: token}}).encode()
}

func (k *kubeconfig) encode() ([]byte, error) {
	context := k.userName + "@" + k.name
	data, err := clientcmd.Write(clientcmdapi.Config{
		CurrentContext: context,
		Clusters:       map[string]*clientcmdapi.Cluster{k.name: k.cluster},
		Contexts:       map[string]*clientcmdapi.Context{context: {Cluster: k.name, AuthInfo: k.userName}},
		AuthInfos:      map[string]*clientcmdapi.AuthInfo{k.userName: k.user},
	})
	if err != nil {
		return nil, fmt.Errorf("cannot encode the kubeconfig: %w", err)
	}
	return data, nil
}

package discovery

import (
	"context"
	"errors"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	bootstrapapi "k8s.io/cluster-bootstrap/token/api"

	"github.com/kubewright/kubewright/cluster"
)

// ByFile takes the cluster from a kubeconfig: its CA and address, and its credentials (a token, a client certificate, a plug-in,
// a password). Files that it names are embedded, read by readFile. The token of o, when there is one, is used in their place.
//
// It asks the API server for cluster-info once, with the file's own credentials, to see that the address and the CA belong
// together; a file without a CA, whose server the machine's own authorities vouch for, gets the one from there. That
// cluster-info is hidden or missing, or tells another address, is a warning.
func ByFile(ctx context.Context, data []byte, readFile func(string) ([]byte, error), o Options) (*Found, error) {
	o = o.withDefaults()
	k, err := load(data)
	if err == nil {
		err = k.embed(readFile)
	}
	if err == nil && !k.authenticates() && o.token() == "" {
		err = errors.New("it holds no credentials: give a bootstrap token with --tls-bootstrap-token")
	}
	if err != nil {
		return nil, fmt.Errorf("cannot use the discovery file: %w", err)
	}
	warnings, err := o.check(ctx, k)
	if err != nil {
		return nil, fmt.Errorf("cannot discover the cluster at %s, which the discovery file names: %w", k.cluster.Server, err)
	}
	if token := o.token(); token != "" {
		k.userName, k.user = tokenUser, &clientcmdapi.AuthInfo{Token: token}
	}
	kubeconfig, err := k.encode()
	if err != nil {
		return nil, err
	}
	return &Found{CA: k.cluster.CertificateAuthorityData, Server: k.cluster.Server, Kubeconfig: kubeconfig, Warnings: warnings}, nil
}

// FileCA returns the CA certificates (PEM) by which a discovery file knows its cluster; nil when it holds none, or is of no use.
func FileCA(data []byte, readFile func(string) ([]byte, error)) []byte {
	k, err := load(data)
	if err != nil {
		return nil
	}
	if ca := k.cluster.CertificateAuthorityData; len(ca) > 0 || k.cluster.CertificateAuthority == "" {
		return ca
	}
	ca, err := readFile(k.cluster.CertificateAuthority)
	if err != nil {
		return nil
	}
	return ca
}

// embed puts the files that are named into the kubeconfig, so that a copy of it works anywhere.
func (k *kubeconfig) embed(readFile func(string) ([]byte, error)) error {
	var token []byte
	for _, part := range []struct {
		what string
		path *string
		into *[]byte
	}{
		{"CA certificate", &k.cluster.CertificateAuthority, &k.cluster.CertificateAuthorityData},
		{"client certificate", &k.user.ClientCertificate, &k.user.ClientCertificateData},
		{"key of the client certificate", &k.user.ClientKey, &k.user.ClientKeyData},
		{"token", &k.user.TokenFile, &token},
	} {
		if *part.path != "" && len(*part.into) == 0 {
			data, err := readFile(*part.path)
			if err != nil {
				return fmt.Errorf("the %s that it names can't be read: %w", part.what, err)
			}
			*part.into = data
		}
		*part.path = ""
	}
	if k.user.Token == "" {
		k.user.Token = strings.TrimSpace(string(token))
	}
	switch {
	case k.cluster.InsecureSkipTLSVerify:
		return errors.New("it trusts every server (insecure-skip-tls-verify): take that out, and put in certificate-authority-data")
	case len(k.cluster.CertificateAuthorityData) > 0 && len(certificates(k.cluster.CertificateAuthorityData)) == 0:
		return errors.New("its CA is no certificate in PEM")
	}
	return nil
}

// authenticates says whether there are credentials.
func (k *kubeconfig) authenticates() bool {
	u := k.user
	return u.Token != "" || len(u.ClientCertificateData) > 0 && len(u.ClientKeyData) > 0 || u.Username != "" && u.Password != "" ||
		u.Exec != nil || u.AuthProvider != nil
}

// check asks for cluster-info, and fills in a missing CA.
func (o Options) check(ctx context.Context, k *kubeconfig) (warnings []string, err error) {
	text, err := k.encode()
	if err != nil {
		return nil, err
	}
	client, err := cluster.New(text, cluster.Options{Timeout: o.request, Patience: o.Reach})
	if err != nil {
		return nil, err
	}
	if o.Progress != nil {
		o.Progress("asking " + k.cluster.Server)
	}
	asked, cancel := context.WithTimeout(ctx, min(max(o.Reach, o.request), o.Timeout))
	defer cancel()
	live, err := client.Live(asked, &corev1.ConfigMap{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"},
		ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespacePublic, Name: bootstrapapi.ConfigMapClusterInfo},
	})
	var hidden string
	switch {
	case err == nil && live == nil:
		hidden = "the cluster has no ConfigMap kube-public/cluster-info, so the address and the CA are those of the discovery file alone"
	case apierrors.IsForbidden(err), apierrors.IsUnauthorized(err) && !k.authenticates():
		hidden = "the API server does not show cluster-info, so the address and the CA are those of the discovery file alone"
	case apierrors.IsUnauthorized(err):
		return nil, errors.New("the API server does not accept the credentials in it: have they expired?")
	case err != nil:
		return nil, o.explainFile(ctx, err, k.cluster.Server)
	}
	if hidden != "" {
		if len(k.cluster.CertificateAuthorityData) == 0 {
			return nil, errors.New("it holds no CA certificate, and the cluster does not tell its own: put in certificate-authority-data")
		}
		return []string{hidden}, nil
	}
	return k.agree(live.(*unstructured.Unstructured))
}

// agree compares the file with cluster-info.
func (k *kubeconfig) agree(live *unstructured.Unstructured) (warnings []string, err error) {
	text, _, _ := unstructured.NestedString(live.Object, "data", bootstrapapi.KubeConfigKey)
	info, err := parse([]byte(text))
	switch {
	case err != nil && len(k.cluster.CertificateAuthorityData) == 0:
		return nil, fmt.Errorf("it holds no CA certificate, and %w", err)
	case err != nil:
		return []string{err.Error()}, nil
	case info.cluster.Server != k.cluster.Server:
		warnings = []string{fmt.Sprintf("the discovery file gives %s as the address of the cluster, and cluster-info gives %s; the former is used",
			k.cluster.Server, info.cluster.Server)}
	}
	if len(k.cluster.CertificateAuthorityData) == 0 {
		k.cluster.CertificateAuthorityData = info.cluster.CertificateAuthorityData
	}
	return warnings, nil
}

// explainFile says what a failed request means when the file decides about trust.
func (o Options) explainFile(ctx context.Context, err error, server string) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%w: %w", context.Cause(ctx), err)
	}
	if status := apierrors.APIStatus(nil); errors.As(err, &status) {
		return err
	}
	err = o.explain(err, "")
	var tls *untrusted
	if errors.As(err, &tls) {
		return o.distrustFile(ctx, tls, server)
	}
	return err
}

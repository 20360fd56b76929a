package cmd

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/kubewright/kubewright/cluster"
	"github.com/kubewright/kubewright/cluster/discovery"
	"github.com/kubewright/kubewright/config"
	"github.com/kubewright/kubewright/host"
)

// discovered is the cluster that is joined, and a way to talk to it.
type discovered struct {
	client *cluster.Client
	ca     []byte
	server string
	// bootstrap is the kubeconfig with which the kubelet asks for its certificate; nil when the machine has its own credentials.
	bootstrap []byte
	// member says that this machine belongs to the cluster already: it used its own credentials, and no token is needed.
	member bool
	// before is what an earlier run left here, whether it is good or not; nil when nothing.
	before *membership
	asked
	warnings []string
}

func (d *discovered) endpoint() string { return strings.TrimPrefix(d.server, "https://") }

// discover finds the cluster and reads its configuration: by what an earlier run of join left here, so that join can be run
// again when the token has expired; or by the token or the file.
func (f *joinFlags) discover(ctx context.Context, h *host.Host, in *joinInput, out *reporter) (*discovered, error) {
	file, err := discoveryFile(ctx, in.join)
	if err != nil {
		return nil, err
	}
	own, before, err := f.belongs(ctx, h, in.join, discovery.FileCA(file, beside(in.join)))
	if own != nil || err != nil {
		return own, err
	}
	if in.alone {
		return f.continues(ctx, h, in.join, before)
	}
	found, err := f.find(ctx, in, file, out)
	if err != nil {
		return nil, before.remember(err)
	}
	d := &discovered{ca: found.CA, server: found.Server, bootstrap: found.Kubeconfig, warnings: found.Warnings, before: before}
	if d.client, err = cluster.New(found.Kubeconfig, cluster.Options{Patience: apiPatience(in.join.Timeouts)}); err != nil {
		return nil, err
	}
	if d.asked, err = ask(ctx, d.client, in.join.NodeRegistration.Name, in.reach); err != nil {
		return nil, before.remember(explainAsked(err, d.server))
	}
	return d, nil
}

// explainAsked says why the configuration can't be read with the credentials of the join, and what mends it.
func explainAsked(err error, server string) error {
	hint := ""
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	switch status := apierrors.APIStatus(nil); {
	case errors.As(err, &unknown):
		hint = "the certificate of " + server + " is not signed by the CA in cluster-info: somebody is in the middle, or cluster-info is of before " +
			"the CA was replaced\nto make it anew, on a control-plane node: kubectl -n kube-public delete configmap cluster-info; " +
			"kubewright init phase bootstrap-token"
	case errors.As(err, &name):
		hint = server + " is the address that the cluster gives for itself, and its certificate is not for it\n" +
			"add it to apiServer.certSANs in the cluster's configuration and make the certificate anew"
	case !errors.As(err, &status):
		hint = "this machine must reach " + server + ", the address that the cluster gives for itself (ConfigMap kube-public/cluster-info)\n" +
			"is it right, does its name resolve here, and does no firewall stand between?"
	case status.Status().Code >= 500:
		hint = discovery.HowToLook
	case apierrors.IsUnauthorized(err):
		hint = "the token that is to authenticate is not known, has expired, or lacks the usage authentication\n" +
			"make a new one, on a control-plane node: kubewright token create --print-join-command"
	case apierrors.IsForbidden(err):
		hint = "the token lacks the group " + config.NodeBootstrapTokenAuthGroup + ", or what the group may do is missing\n" +
			"on a control-plane node: kubewright init phase upload-config all; kubewright init phase bootstrap-token\n" +
			"and: kubewright token create --print-join-command"
	}
	err = fmt.Errorf("cannot read the configuration of the cluster: %w", err)
	if hint == "" {
		return err
	}
	return fmt.Errorf("%w\n%s", err, hint)
}

// discoveryFile reads the file that names the cluster, here or from its URL; nil where a token does.
func discoveryFile(ctx context.Context, j *config.Join) ([]byte, error) {
	if j.Discovery.File == nil {
		return nil, nil
	}
	name, elsewhere := discoverySource(j.Discovery.File)
	if elsewhere {
		return discovery.FetchFile(ctx, name)
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("cannot read the discovery file: %w", err)
	}
	return data, nil
}

// beside reads the files that a discovery file names. Where their paths are relative they begin at its own folder, as kubectl has
// it.
func beside(j *config.Join) func(string) ([]byte, error) {
	return func(name string) ([]byte, error) {
		if j.Discovery.File != nil && !filepath.IsAbs(name) {
			if file, elsewhere := discoverySource(j.Discovery.File); !elsewhere {
				name = filepath.Join(filepath.Dir(file), name)
			}
		}
		return os.ReadFile(name)
	}
}

// discoverySource is the path of the discovery file, or the URL that it is fetched from.
func discoverySource(f *config.FileDiscovery) (name string, elsewhere bool) {
	if u, err := url.Parse(f.KubeConfigPath); err == nil && u.Scheme == "https" {
		return f.KubeConfigPath, true
	}
	return strings.TrimPrefix(f.KubeConfigPath, "file://"), false
}

// find asks the cluster by the token, or by what the file says.
func (f *joinFlags) find(ctx context.Context, in *joinInput, file []byte, out *reporter) (*discovery.Found, error) {
	d := in.join.Discovery
	timeout := time.Duration(0)
	if t := in.join.Timeouts; t != nil && t.Discovery != nil {
		timeout = t.Discovery.Duration
	}
	if b := d.BootstrapToken; b != nil {
		id, secret, err := config.ParseToken(b.Token)
		if err != nil {
			return nil, err
		}
		o := discovery.Options{
			Endpoint: b.APIServerEndpoint, TokenID: id, TokenSecret: secret, CAHashes: b.CACertHashes,
			UnsafeSkipCA: b.UnsafeSkipCAVerification, Progress: out.progress, TLSToken: d.TLSBootstrapToken,
			Timeout: timeout, Reach: in.reach,
		}
		return discovery.ByToken(ctx, o)
	}
	o := discovery.Options{TLSToken: d.TLSBootstrapToken, Progress: out.progress, Timeout: timeout, Reach: in.reach}
	return discovery.ByFile(ctx, file, beside(in.join), o)
}

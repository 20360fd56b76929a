package cmd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"strings"

	"k8s.io/client-go/tools/clientcmd"

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
	// bootstrap is the kubeconfig with which the kubelet asks for its certificate.
	bootstrap []byte
	// member says that this machine belongs to the cluster already: it used its own credentials, and no token is needed.
	member   bool
	warnings []string
}

func (d *discovered) endpoint() string { return strings.TrimPrefix(d.server, "https://") }

// discover finds the cluster: by what an earlier run of join left here, so that join can be run again when the token has
// expired; or by the token or the file.
func (f *joinFlags) discover(ctx context.Context, h *host.Host, j *config.Join, out *reporter) (*discovered, error) {
	own := config.KubeletKubeconfig
	if j.ControlPlaneJoin() {
		own = config.AdminKubeconfig
	}
	if found, err := belongs(ctx, h, own, j); found != nil || err != nil {
		return found, err
	}
	found, err := f.find(ctx, j, out)
	if err != nil {
		return nil, err
	}
	client, err := cluster.New(found.Kubeconfig, cluster.Options{})
	if err != nil {
		return nil, err
	}
	return &discovered{client: client, ca: found.CA, server: found.Server, bootstrap: found.Kubeconfig, warnings: found.Warnings}, nil
}

// belongs reads this machine's own credentials. Those that are not there, or that the cluster does not take, count for nothing.
func belongs(ctx context.Context, h *host.Host, path string, j *config.Join) (*discovered, error) {
	data, err := h.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", path, err)
	}
	kc, err := clientcmd.Load(data)
	if err != nil {
		return nil, nil //nolint:nilerr // the checks say that the file is not of this cluster
	}
	current := kc.Contexts[kc.CurrentContext]
	if current == nil || kc.Clusters[current.Cluster] == nil {
		return nil, nil
	}
	c := kc.Clusters[current.Cluster]
	if b := j.Discovery.BootstrapToken; b != nil && len(b.CACertHashes) > 0 && !discovery.Pinned(c.CertificateAuthorityData, b.CACertHashes) {
		return nil, nil
	}
	client, err := cluster.New(data, cluster.Options{})
	if err != nil || client.Up(ctx) != nil {
		return nil, nil //nolint:nilerr // then the token is tried
	}
	if _, err := client.ClusterConfiguration(ctx); err != nil {
		return nil, nil //nolint:nilerr // the same
	}
	return &discovered{
		client: client, ca: c.CertificateAuthorityData, server: c.Server, bootstrap: data, member: true,
	}, nil
}

// find asks the cluster by the token, or reads the file.
func (f *joinFlags) find(ctx context.Context, j *config.Join, out *reporter) (*discovery.Found, error) {
	d := j.Discovery
	if b := d.BootstrapToken; b != nil {
		id, secret, err := config.ParseToken(b.Token)
		if err != nil {
			return nil, err
		}
		o := discovery.Options{
			Endpoint: b.APIServerEndpoint, TokenID: id, TokenSecret: secret, CAHashes: b.CACertHashes,
			UnsafeSkipCA: b.UnsafeSkipCAVerification, Progress: out.progress, TLSToken: d.TLSBootstrapToken,
		}
		if t := j.Timeouts; t != nil && t.Discovery != nil {
			o.Timeout = t.Discovery.Duration
		}
		return discovery.ByToken(ctx, o)
	}
	name := d.File.KubeConfigPath
	if u, err := url.Parse(name); err == nil && u.Scheme == "https" {
		data, err := discovery.FetchFile(ctx, name)
		if err != nil {
			return nil, err
		}
		return discovery.ByFile(ctx, data, os.ReadFile, discovery.Options{TLSToken: d.TLSBootstrapToken, Progress: out.progress})
	}
	data, err := os.ReadFile(strings.TrimPrefix(name, "file://"))
	if err != nil {
		return nil, fmt.Errorf("cannot read the discovery file: %w", err)
	}
	return discovery.ByFile(ctx, data, os.ReadFile, discovery.Options{TLSToken: d.TLSBootstrapToken, Progress: out.progress})
}

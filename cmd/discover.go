package cmd

import (
	"context"
	"fmt"
	"net/url"
	"os"
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
	// stored is the configuration of the cluster.
	stored   *cluster.Configuration
	warnings []string
}

func (d *discovered) endpoint() string { return strings.TrimPrefix(d.server, "https://") }

// discover finds the cluster and reads its configuration: by what an earlier run of join left here, so that join can be run
// again when the token has expired; or by the token or the file.
func (f *joinFlags) discover(ctx context.Context, h *host.Host, j *config.Join, out *reporter) (*discovered, error) {
	own, before, err := f.belongs(ctx, h, j)
	if own != nil || err != nil {
		return own, err
	}
	found, err := f.find(ctx, j, out)
	if err != nil {
		return nil, err
	}
	d := &discovered{ca: found.CA, server: found.Server, bootstrap: found.Kubeconfig, warnings: found.Warnings, before: before}
	if d.client, err = cluster.New(found.Kubeconfig, cluster.Options{Patience: apiPatience(j.Timeouts)}); err != nil {
		return nil, err
	}
	if d.stored, err = d.client.NodeConfiguration(ctx); err != nil {
		return nil, explainStored(err, d.server)
	}
	return d, nil
}

// explainStored says why the configuration can't be read with the credentials of the join, and what mends it.
func explainStored(err error, server string) error {
	hint := "is " + server + ", the address in cluster-info, reached from this machine?"
	switch {
	case apierrors.IsUnauthorized(err):
		hint = "the token that is to authenticate is not known, has expired, or lacks the usage authentication\n" +
			"make a new one, on a control-plane node: kubewright token create --print-join-command"
	case apierrors.IsForbidden(err):
		hint = "the token lacks the group " + config.NodeBootstrapTokenAuthGroup + ", or what the group may do is missing\n" +
			"on a control-plane node: kubewright init phase upload-config all; kubewright init phase bootstrap-token\n" +
			"and: kubewright token create --print-join-command"
	}
	return fmt.Errorf("cannot read the configuration of the cluster: %w\n%s", err, hint)
}

// find asks the cluster by the token, or reads the file.
func (f *joinFlags) find(ctx context.Context, j *config.Join, out *reporter) (*discovery.Found, error) {
	d := j.Discovery
	timeout := time.Duration(0)
	if t := j.Timeouts; t != nil && t.Discovery != nil {
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
			Timeout: timeout,
		}
		return discovery.ByToken(ctx, o)
	}
	name, o := d.File.KubeConfigPath, discovery.Options{TLSToken: d.TLSBootstrapToken, Progress: out.progress, Timeout: timeout}
	if u, err := url.Parse(name); err == nil && u.Scheme == "https" {
		data, err := discovery.FetchFile(ctx, name)
		if err != nil {
			return nil, err
		}
		return discovery.ByFile(ctx, data, os.ReadFile, o)
	}
	data, err := os.ReadFile(strings.TrimPrefix(name, "file://"))
	if err != nil {
		return nil, fmt.Errorf("cannot read the discovery file: %w", err)
	}
	return discovery.ByFile(ctx, data, os.ReadFile, o)
}

package cmd

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/kubewright/kubewright/cluster"
	"github.com/kubewright/kubewright/cluster/discovery"
	"github.com/kubewright/kubewright/config"
	"github.com/kubewright/kubewright/host"
)

// membership is what an earlier run of join left on this machine.
type membership struct {
	// node is the name in the kubelet's credentials, and ca the cluster that they are for.
	node string
	ca   []byte
	// refused says that the cluster does not take them any more.
	refused bool
}

// memberTime bounds the question whether the credentials that are here are good: a token may do it as well.
const memberTime = 20 * time.Second

// membershipOf reads the kubelet's credentials; nil when there are none.
func membershipOf(h *host.Host) (*membership, error) {
	kc, err := loadKubeconfig(h, config.KubeletKubeconfig)
	if kc == nil || err != nil {
		return nil, err
	}
	block, _ := pem.Decode(kc.ClientCert)
	if block == nil {
		return &membership{ca: kc.CA}, nil
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return &membership{ca: kc.CA}, nil //nolint:nilerr // then it names no node
	}
	return &membership{ca: kc.CA, node: strings.TrimPrefix(cert.Subject.CommonName, "system:node:")}, nil
}

// own is a kubeconfig of this machine.
type own struct {
	*cluster.Access
	data []byte
}

// loadKubeconfig reads one; nil when it is not there, or is none: the checks say so.
func loadKubeconfig(h *host.Host, path string) (*own, error) {
	data, err := h.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	a, err := cluster.ReadAccess(data, h.ReadFile)
	if err != nil {
		return nil, nil //nolint:nilerr // see above
	}
	return &own{a, data}, nil
}

// belongs uses this machine's own credentials, if it is that node of that cluster already; else nil, and what is known of it.
func (f *joinFlags) belongs(ctx context.Context, h *host.Host, j *config.Join) (*discovered, *membership, error) {
	m, err := membershipOf(h)
	if m == nil || err != nil {
		return nil, nil, err
	}
	path := config.KubeletKubeconfig
	if j.ControlPlaneJoin() {
		path = config.AdminKubeconfig
	}
	kc, err := loadKubeconfig(h, path)
	if kc == nil || err != nil || !meant(j, kc, m.ca) {
		return nil, m, err
	}
	client, err := cluster.New(kc.data, cluster.Options{Patience: apiPatience(j.Timeouts)})
	if err != nil {
		return nil, m, nil //nolint:nilerr // then the token is tried
	}
	ctx, cancel := context.WithTimeout(ctx, memberTime)
	defer cancel()
	stored, err := client.NodeConfiguration(ctx)
	if err != nil {
		m.refused = apierrors.IsUnauthorized(err) || strings.Contains(err.Error(), "certificate has expired")
		return nil, m, nil // the same
	}
	if name := j.NodeRegistration.Name; m.node != name {
		return nil, m, fmt.Errorf("cannot join as node %s: this machine is node %s of that cluster already (%s)\n"+
			"join with --node-name %[2]s; or reset the machine first", name, m.node, config.KubeletKubeconfig)
	}
	return &discovered{client: client, ca: kc.CA, server: kc.Server, member: true, stored: stored}, m, nil
}

// meant says whether own credentials are for the cluster that the user asks for: by its pins, by its file, or by its address.
func meant(j *config.Join, kc *own, kubeletCA []byte) bool {
	if !discovery.SameCA(kc.CA, kubeletCA) {
		return false
	}
	if b := j.Discovery.BootstrapToken; b != nil {
		if len(b.CACertHashes) > 0 {
			return discovery.Pinned(kc.CA, b.CACertHashes)
		}
		return strings.TrimPrefix(kc.Server, "https://") == b.APIServerEndpoint
	}
	if f := j.Discovery.File; f != nil && !strings.HasPrefix(f.KubeConfigPath, "https://") {
		file, err := loadKubeconfig(&host.Host{Root: "/"}, strings.TrimPrefix(f.KubeConfigPath, "file://"))
		return err == nil && file != nil && discovery.SameCA(kc.CA, file.CA)
	}
	return false // what another server says has to be fetched first
}

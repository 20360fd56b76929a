package cmd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/kubewright/kubewright/cause"
	"github.com/kubewright/kubewright/cluster"
	"github.com/kubewright/kubewright/cluster/discovery"
	"github.com/kubewright/kubewright/config"
	"github.com/kubewright/kubewright/host"
)

// membership is what an earlier run of join left on this machine.
type membership struct {
	// node is the name in the kubelet's credentials, empty when they are not a node's, and ca the cluster that they are for.
	node string
	ca   []byte
	// refused says that the cluster does not take them any more, or that they are not whole.
	refused bool
	// problem is why they did not do.
	problem error
}

// remember adds to the error of another way into the cluster why this one did not do.
func (m *membership) remember(err error) error {
	if m == nil || m.problem == nil {
		return err
	}
	return fmt.Errorf("%w\nnor do the credentials do that are on this machine already: %w", err, m.problem)
}

// membershipOf reads the kubelet's credentials; nil when there are none.
func membershipOf(h *host.Host) (*membership, error) {
	kc, err := loadKubeconfig(h, config.KubeletKubeconfig)
	if errors.Is(err, fs.ErrPermission) { // a dry run
		return nil, fmt.Errorf("%w\nonly root can tell whether this machine has joined already: run it with sudo", err)
	}
	if kc == nil || err != nil {
		return nil, err
	}
	return &membership{ca: kc.CA, node: kc.Node()}, nil
}

// nodeName is the node that earlier phases have made of this machine: that of the kubelet's credentials or, while it has none, the
// one that its flags name; empty when it goes by the machine's name.
func nodeName(h *host.Host) string {
	if m, err := membershipOf(h); err == nil && m != nil && m.node != "" {
		return m.node
	}
	text, _ := h.ReadFile(config.KubeletFlagsFile) // none was written, or the kubelet can't read it either
	for _, word := range strings.FieldsFunc(string(text), func(r rune) bool { return strings.ContainsRune(" \t\n\"", r) }) {
		if name, ok := strings.CutPrefix(word, "--hostname-override="); ok {
			return name
		}
	}
	return ""
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
func (f *joinFlags) belongs(ctx context.Context, h *host.Host, j *config.Join, fileCA []byte) (*discovered, *membership, error) {
	m, err := membershipOf(h)
	if m == nil || err != nil {
		return nil, nil, err
	}
	path := config.KubeletKubeconfig
	if j.ControlPlaneJoin() {
		path = config.AdminKubeconfig
	}
	kc, err := loadKubeconfig(h, path)
	if kc == nil || err != nil || !meant(j, fileCA, kc, m.ca) {
		return nil, m, err
	}
	kubelets := path == config.KubeletKubeconfig
	client, err := cluster.New(kc.data, cluster.Options{Read: h.ReadFile, Dial: h.Dialer, Patience: apiPatience(j.Timeouts)})
	if err != nil { // then the token is tried
		m.refused, m.problem = kubelets, fmt.Errorf("%s: %w", path, err)
		return nil, m, nil
	}
	name := j.NodeRegistration.Name
	asked, err := ask(ctx, client, cmp.Or(m.node, name), 0)
	if err != nil { // the same
		m.refused = kubelets && (apierrors.IsUnauthorized(err) || strings.Contains(err.Error(), "certificate has expired"))
		m.problem = fmt.Errorf("%s: %w", path, err)
		return nil, m, nil
	}
	if m.node == "" {
		return nil, m, cause.Refused.Mark(fmt.Errorf("cannot join as node %s: %s holds credentials for this cluster that are not a "+
			"node's (those of %s<name>)\nreset the machine first", name, config.KubeletKubeconfig, cluster.NodeUser))
	}
	if m.node != name {
		return nil, m, cause.Refused.Mark(fmt.Errorf("cannot join as node %s: this machine is node %s of that cluster already (%s)\n"+
			"join with --node-name %[2]s; or reset the machine first", name, m.node, config.KubeletKubeconfig))
	}
	return &discovered{client: client, ca: kc.CA, server: kc.Server, member: true, before: m, asked: asked}, m, nil
}

// meant says whether own credentials are for the cluster that the user asks for: by its pins, by its file, or by its address.
// fileCA is the CA in the discovery file.
func meant(j *config.Join, fileCA []byte, kc *own, kubeletCA []byte) bool {
	if !discovery.SameCA(kc.CA, kubeletCA) {
		return false
	}
	if j.Known {
		return true
	}
	if b := j.Discovery.BootstrapToken; b != nil {
		if len(b.CACertHashes) > 0 {
			return discovery.Pinned(kc.CA, b.CACertHashes)
		}
		return strings.TrimPrefix(kc.Server, "https://") == b.APIServerEndpoint
	}
	return discovery.SameCA(kc.CA, fileCA)
}

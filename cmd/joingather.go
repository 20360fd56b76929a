package cmd

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/kubewright/kubewright/cause"
	"github.com/kubewright/kubewright/cluster"
	"github.com/kubewright/kubewright/cluster/discovery"
	"github.com/kubewright/kubewright/config"
	"github.com/kubewright/kubewright/host"
	"github.com/kubewright/kubewright/manifests"
	"github.com/kubewright/kubewright/phases"
	"github.com/kubewright/kubewright/pki"
)

// gather asks the cluster what the node is to be, looks at the machine, and puts together all that the phases ask for.
func (f *joinFlags) gather(ctx context.Context, env *Env, h *host.Host, in *joinInput, list phases.Command, lost func(error), out *reporter) (*session, error) {
	found, err := f.discover(ctx, h, in, out)
	if err != nil {
		return nil, err
	}
	out.warn(found.warnings)
	c, err := in.join.With(found.stored.Cluster, found.stored.Kubelet, nil)
	if err != nil {
		return nil, err
	}
	out.warn(c.Warnings)
	if !in.alone {
		if err := cause.Refused.Mark(nameFree(found, c.Init.NodeRegistration.Name, f.replaceNode != "", out)); err != nil {
			return nil, err
		}
	}
	s := connect(ctx, env, h, c.Init.NodeRegistration.CRISocket)
	s.lost = lost
	if s.facts, err = f.facts(ctx, env, s, in, c, found); err != nil {
		return s, err
	}
	s.facts.Joining.Unregistered = found.member && !found.registered
	if !in.join.ControlPlaneJoin() {
		return s, nil
	}
	return s, f.gatherControlPlane(ctx, s, list, out)
}

// nameFree makes sure that no other machine has this node's name. A machine that joined before has the name itself. The name of
// a node that is not Ready is taken: that is how a dead machine is replaced, with a warning unless the user has said so.
func nameFree(found *discovered, name string, replace bool, out *reporter) error {
	b := found.before
	mine := found.member || b != nil && b.node == name && discovery.SameCA(b.ca, found.ca)
	switch {
	case mine || !found.registered:
		return nil
	case found.ready:
		return fmt.Errorf("cannot join as node %s: the cluster has a node of that name, and it is Ready\n"+
			"choose another name with --node-name; or remove that node: kubectl delete node %s", name, name)
	case replace:
		return nil // the user has said so
	}
	out.warn([]string{fmt.Sprintf("the cluster has a node %s already, which is not Ready: this machine takes its place\n"+
		"if another machine is to come back as it, stop here and choose another name with --node-name", name)})
	return nil
}

func (f *joinFlags) facts(ctx context.Context, env *Env, s *session, in *joinInput, c *config.Config, found *discovered) (*phases.Facts, error) {
	patches, err := manifests.Patches(in.patches)
	if err != nil {
		return nil, err
	}
	h := s.host
	input := pki.Input{
		Config: c, Read: h.ReadFile, Now: h.Time(), Rand: rand.Reader, KubeconfigDir: config.KubernetesDir, Joining: true,
	}
	missing := pki.Plan(input).MissingShared()
	if e := c.Cluster.Etcd.External; e != nil {
		missing = append(missing, slices.DeleteFunc([]string{e.CAFile, e.CertFile, e.KeyFile}, func(path string) bool { return path == "" || h.Exists(path) })...)
	}
	shared, err := f.sharedCerts(ctx, in.join, c, found, missing)
	if err != nil {
		return nil, err
	}
	if err := sameFiles(h, shared); err != nil {
		return nil, err
	}
	input.Read = overlay(h, shared)
	set := pki.Plan(input)
	if err := cause.Refused.Mark(ofCluster(set, in.join, c, found)); err != nil {
		return nil, err
	}
	bootstrap := found.bootstrap
	if bootstrap != nil && in.join.ControlPlaneJoin() { // its kubelet is to talk to its own API server
		if bootstrap, err = pointTo(bootstrap, c.LocalAPIURL()); err != nil {
			return nil, err
		}
	}
	facts := &phases.Facts{
		Config: c, Host: h, Runtime: s.target.Runtime, PKI: set, Patches: patches, Hostname: in.dynamic.Hostname,
		Node: manifests.Node{
			Config: c, CADirs: caDirs(h), Proxy: proxyVariables(env.Environ), Hash: set.Hash, ExternalCA: set.ExternalCA(),
		},
		KubeletPath: kubeletPath(h), KubeletUnit: foreignKubeletUnit(h), Now: h.Time(), Rand: rand.Reader,
		Skip: in.join.SkipPhases, Named: f.phase != "", Whole: f.phase == "" && !f.elsewhere(),
		AdminKubeconfig: config.KubeletKubeconfig, KubeconfigDir: config.KubernetesDir,
		Joining: &phases.Joining{
			ControlPlane: in.join.ControlPlaneJoin(), Endpoint: found.endpoint(), CA: found.ca, CACertPath: in.join.CACertPath,
			BootstrapKubeconfig: bootstrap, Shared: shared, Refused: found.before != nil && found.before.refused,
			Skew: found.client.Skew(), Client: found.client, Replace: f.replaceNode != "",
		},
	}
	if facts.Joining.ControlPlane {
		facts.AdminKubeconfig = config.AdminKubeconfig
	}
	facts.Client = clients(facts, "")
	m := env.Machine.Preflight(h, s.target.Systemd, s.target.Runtime)
	m.NoSystemd = s.target.NoSystemd
	m.Downloaded = input.Read
	facts.Preflight, facts.Listeners = &m, m.Listeners
	return facts, nil
}

// pointTo is the kubeconfig for another address of the same cluster.
func pointTo(kubeconfig []byte, server string) ([]byte, error) {
	kc, err := clientcmd.Load(kubeconfig)
	if err != nil {
		return nil, err
	}
	for _, c := range kc.Clusters {
		c.Server = server
	}
	return clientcmd.Write(*kc)
}

// overlay reads files as they are or, where they are not there, as they will be after the download.
func overlay(h *host.Host, more map[string]manifests.SharedFile) func(string) ([]byte, error) {
	return func(path string) ([]byte, error) {
		data, err := h.ReadFile(path)
		if file, ok := more[path]; ok && errors.Is(err, fs.ErrNotExist) {
			return file.Data, nil
		}
		return data, err
	}
}

// sameFiles refuses a machine that has some of the shared files as others than the cluster's.
func sameFiles(h *host.Host, shared map[string]manifests.SharedFile) error {
	var differ []string
	for _, path := range slices.Sorted(maps.Keys(shared)) {
		have, err := h.ReadFile(path)
		if err == nil && !bytes.Equal(bytes.TrimSpace(have), bytes.TrimSpace(shared[path].Data)) {
			differ = append(differ, path)
		}
	}
	if differ == nil {
		return nil
	}
	return cause.Refused.Mark(fmt.Errorf("cannot join as a control-plane node: these files are here, and are not those that the cluster's "+
		"control-plane nodes share:\n  %s\nmove them away if they are of another cluster", strings.Join(differ, "\n  ")))
}

// ofCluster refuses a CA on this machine that is not the cluster's: all that it signs would be refused.
func ofCluster(set *pki.Set, j *config.Join, c *config.Config, found *discovered) error {
	ca := path.Join(c.Cluster.CertificatesDir, "ca.crt")
	have := set.Data(ca)
	if !j.ControlPlaneJoin() || have == nil || discovery.SameCA(have, found.ca) {
		return nil
	}
	return fmt.Errorf("cannot join as a control-plane node: %s is not the CA of the cluster at %s\nmove it and the files beside it away if they are of another cluster",
		ca, found.endpoint())
}

// sharedCerts downloads and opens what control-plane nodes share, if there is a key for it and some of it is missing here.
func (f *joinFlags) sharedCerts(ctx context.Context, j *config.Join, c *config.Config, found *discovered, missing []string) (map[string]manifests.SharedFile, error) {
	if !j.ControlPlaneJoin() {
		return nil, nil
	}
	if c.Cluster.ControlPlaneEndpoint == "" {
		return nil, errors.New("cannot join as a control-plane node: the cluster has no control-plane endpoint, an address that stays when a " +
			"node goes\nset controlPlaneEndpoint in ConfigMap kube-system/kubeadm-config, and make sure that the API server's certificate has its name")
	}
	if j.ControlPlane.CertificateKey == "" || len(missing) == 0 {
		return nil, nil
	}
	key, err := hex.DecodeString(j.ControlPlane.CertificateKey)
	if err != nil {
		return nil, cause.Usage.Mark(errors.New("cannot use the certificate key: it is not hexadecimal"))
	}
	secret, err := found.client.CertsSecret(ctx)
	if err != nil && !apierrors.IsForbidden(err) { // the right to read it comes with the upload
		return nil, err
	}
	return manifests.OpenCerts(secret, c, key)
}

// holder names this run for others that wait for it. Only one runs on a machine, whatever it does: the next one there takes the lock of
// one that died at once.
func holder(node string) string { return "kubewright on " + node }

// adminClient connects with the administrator's credentials, as they will be, to the shared endpoint.
func adminClient(facts *phases.Facts) (*cluster.Client, error) {
	files, err := facts.PKI.Files("admin")
	if err != nil {
		return nil, err
	}
	return cluster.New(files[0].Data, cluster.Options{Patience: apiPatience(facts.Config.Init.Timeouts)})
}

package cmd

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"

	"github.com/kubewright/kubewright/cluster"
	"github.com/kubewright/kubewright/config"
	"github.com/kubewright/kubewright/host"
	"github.com/kubewright/kubewright/manifests"
	"github.com/kubewright/kubewright/phases"
	"github.com/kubewright/kubewright/pki"
)

// gather asks the cluster what the node is to be, looks at the machine, and puts together all that the phases ask for.
func (f *joinFlags) gather(ctx context.Context, env *Env, h *host.Host, in *joinInput, out *reporter) (*session, error) {
	found, err := f.discover(ctx, h, in.join, out)
	if err != nil {
		return nil, err
	}
	out.warn(found.warnings)
	stored, err := found.client.ClusterConfiguration(ctx)
	if err != nil {
		return nil, fmt.Errorf("cannot read the configuration of the cluster: %w", err)
	}
	c, err := in.join.With(stored.Cluster, stored.Kubelet, stored.Proxy)
	if err != nil {
		return nil, err
	}
	if err := f.nameFree(ctx, found, c); err != nil {
		return nil, err
	}
	s := connect(ctx, env, h, c)
	if s.facts, err = f.facts(ctx, env, s, in, c, found); err != nil {
		return s, err
	}
	if !in.join.ControlPlaneJoin() {
		return s, nil
	}
	return s, f.gatherControlPlane(ctx, s, out)
}

// nameFree makes sure that no other machine has this node's name. A machine that joined before has it itself.
func (f *joinFlags) nameFree(ctx context.Context, found *discovered, c *config.Config) error {
	if found.member {
		return nil
	}
	name := c.Init.NodeRegistration.Name
	_, ready, err := found.client.NodeReady(ctx, name)
	if err != nil {
		return fmt.Errorf("cannot see whether there is a node %s already: %w", name, err)
	}
	if ready {
		return fmt.Errorf("cannot join as node %s: the cluster has a node of that name, and it is Ready\n"+
			"choose another name with --node-name; or remove that node: kubectl delete node %s", name, name)
	}
	return nil
}

func (f *joinFlags) facts(ctx context.Context, env *Env, s *session, in *joinInput, c *config.Config, found *discovered) (*phases.Facts, error) {
	patches, err := manifests.Patches(in.patches)
	if err != nil {
		return nil, err
	}
	shared, err := f.sharedCerts(ctx, in.join, c, found)
	if err != nil {
		return nil, err
	}
	h := s.host
	set := pki.Plan(pki.Input{
		Config: c, Read: overlay(h, shared), Now: h.Time(), Rand: rand.Reader, KubeconfigDir: config.KubernetesDir,
	})
	facts := &phases.Facts{
		Config: c, Host: h, Runtime: s.target.Runtime, PKI: set, Patches: patches, Hostname: in.dynamic.Hostname,
		Node: manifests.Node{
			Config: c, CADirs: caDirs(h), Proxy: proxyVariables(env.Environ), Hash: set.Hash, ExternalCA: set.ExternalCA(),
		},
		KubeletPath: kubeletPath(h), KubeletUnit: foreignKubeletUnit(h), Now: h.Time(), Rand: rand.Reader,
		Skip: in.join.SkipPhases, AdminKubeconfig: config.KubeletKubeconfig, KubeconfigDir: config.KubernetesDir,
		Joining: &phases.Joining{
			ControlPlane: in.join.ControlPlaneJoin(), Endpoint: found.endpoint(), CA: found.ca, CACertPath: in.join.CACertPath,
			BootstrapKubeconfig: found.bootstrap, Shared: shared,
		},
	}
	if facts.Joining.ControlPlane {
		facts.AdminKubeconfig = config.AdminKubeconfig
	}
	facts.Client = clients(facts, "")
	m := env.Machine.Preflight(h, s.target.Systemd, s.target.Runtime)
	facts.Preflight = &m
	return facts, nil
}

// overlay reads files as they are or, where they are not there, as they will be after the download.
func overlay(h *host.Host, more map[string][]byte) func(string) ([]byte, error) {
	return func(path string) ([]byte, error) {
		data, err := h.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) && more[path] != nil {
			return more[path], nil
		}
		return data, err
	}
}

// sharedCerts downloads and opens what control-plane nodes share, if there is a key for it and it is not all here already.
func (f *joinFlags) sharedCerts(ctx context.Context, j *config.Join, c *config.Config, found *discovered) (map[string][]byte, error) {
	if !j.ControlPlaneJoin() {
		return nil, nil
	}
	if c.Cluster.ControlPlaneEndpoint == "" {
		return nil, errors.New("cannot join as a control-plane node: the cluster has no control-plane endpoint, an address that stays when a " +
			"node goes\nset controlPlaneEndpoint in ConfigMap kube-system/kubeadm-config, and make sure that the API server's certificate has its name")
	}
	if j.ControlPlane.CertificateKey == "" || found.member {
		return nil, nil
	}
	key, err := hex.DecodeString(j.ControlPlane.CertificateKey)
	if err != nil {
		return nil, errors.New("cannot use the certificate key: it is not hexadecimal")
	}
	secret, err := found.client.CertsSecret(ctx)
	if err != nil {
		return nil, err
	}
	return manifests.OpenCerts(secret, c, key)
}

// holder names this run for others that wait for it.
func holder(c *config.Config) string { return "kubewright join on " + c.Init.NodeRegistration.Name }

// adminClient connects with the administrator's credentials, as they will be, to the shared endpoint.
func adminClient(facts *phases.Facts) (*cluster.Client, error) {
	files, err := facts.PKI.Files("admin")
	if err != nil {
		return nil, err
	}
	return cluster.New(files[0].Data, cluster.Options{})
}

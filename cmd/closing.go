package cmd

import (
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"github.com/kubewright/kubewright/cluster"
	"github.com/kubewright/kubewright/config"
	"github.com/kubewright/kubewright/manifests"
	"github.com/kubewright/kubewright/phases"
	"github.com/kubewright/kubewright/pki"
	"github.com/kubewright/kubewright/plan"
	"github.com/kubewright/kubewright/templates"
)

// closing says how the run ended and, after a whole init, what to do next.
func (f *initFlags) closing(ctx context.Context, s *session, changes int, out *reporter) error {
	if f.elsewhere() {
		if out.json == nil {
			out.line("Written below %s: %d changes.", f.root, changes)
		}
		out.result(changes, event{Path: f.root})
		return nil
	}
	uploaded := f.phase == "upload-certs" && f.uploadCerts && changes > 0
	show := (f.phase == "show-join-command" || f.phase == "" && (changes > 0 || out.json != nil)) && !s.facts.Skips("show-join-command")
	if uploaded && out.json == nil && !f.skipKeyPrint {
		fmt.Fprintf(out.out, "The certificates are encrypted with this key:\n%s\n", hex.EncodeToString(s.facts.CertificateKey))
	}
	switch {
	case show:
		c, err := f.nextSteps(ctx, s.facts, out)
		if err != nil {
			return err
		}
		if out.json != nil {
			out.result(changes, event{Next: newNext(c)})
			return nil
		}
		text, err := templates.InitClosing(c)
		if err != nil {
			return err
		}
		_, err = fmt.Fprint(out.out, text)
		return err
	case uploaded && out.json != nil:
		out.result(changes, event{Next: &next{CertificateKey: f.shownKey(s.facts)}})
		return nil
	case changes == 0 && out.json == nil:
		out.line("Nothing to do: everything is as it should be.")
	}
	out.result(changes, event{})
	return nil
}

// nextSteps is how to use the cluster and how to join others.
func (f *initFlags) nextSteps(ctx context.Context, facts *phases.Facts, out *reporter) (templates.Closing, error) {
	closing := templates.Closing{Program: string(out.program), AsKubeadm: out.program == Kubeadm, AdminKubeconfig: facts.AdminKubeconfig, CertificateKey: f.shownKey(facts), ExternalCA: facts.PKI.ExternalCA()}
	var err error
	if closing.Tokens, err = f.joinTokens(ctx, facts); err != nil { // it names a kubeconfig that is missing
		return closing, err
	}
	server, ca, err := facts.Public()
	if err != nil {
		return closing, err
	}
	if closing.Endpoint, err = joinEndpoint(server, facts.AdminKubeconfig); err != nil {
		return closing, err
	}
	closing.Shared = facts.Config.Cluster.ControlPlaneEndpoint != "" || f.phase != "" && server != facts.Config.LocalAPIURL()
	if closing.CAHashes, err = pki.CAHashes(ca); err != nil {
		return closing, err
	}
	closing.UploadCerts = facts.UploadCerts && f.certsUploaded(ctx, facts)
	return closing, nil
}

// shownKey is the certificate key as it may be shown.
func (f *initFlags) shownKey(facts *phases.Facts) string {
	if f.skipKeyPrint {
		return withheld
	}
	return hex.EncodeToString(facts.CertificateKey)
}

// certsUploaded says whether the certificates in the cluster can be opened with the key of this run. Those of an earlier run
// that was interrupted can't; then the text says how to upload them again.
func (f *initFlags) certsUploaded(ctx context.Context, facts *phases.Facts) bool {
	client, err := facts.Client(facts.AdminKubeconfig)
	if err != nil {
		return false
	}
	have, err := client.CertsSecret(ctx)
	return err == nil && have != nil && manifests.CertsMatch(have, facts.Config, facts.PKI.Data, facts.CertificateKey)
}

const withheld = "<value withheld>"

// joinTokens are the tokens to print: those of the configuration that are in the cluster, or else one that is there and good. A
// run that carried on after an interruption may have made up a token that was not needed any more.
func (f *initFlags) joinTokens(ctx context.Context, facts *phases.Facts) ([]string, error) {
	if f.skipTokenPrint {
		return []string{withheld}, nil
	}
	if facts.Skips("bootstrap-token") {
		return nil, nil
	}
	client, err := facts.Client(facts.AdminKubeconfig)
	if err != nil {
		return nil, err
	}
	live, err := client.ListTokens(ctx)
	if err != nil {
		return nil, err
	}
	var own, others []string
	for i := range live {
		token, ok := cluster.JoinToken(&live[i], facts.Host.Time())
		if !ok {
			continue
		}
		if slices.ContainsFunc(facts.Config.Init.BootstrapTokens, func(t config.BootstrapToken) bool { return t.Token.String() == token }) {
			own = append(own, token)
		} else {
			others = append(others, token)
		}
	}
	if own == nil && len(others) > 0 {
		return others[:1], nil
	}
	return own, nil
}

// reachable returns the cluster's API if it answers soon, for a preview.
func reachable(ctx context.Context, facts *phases.Facts) plan.API {
	client, err := facts.Client(facts.AdminKubeconfig)
	if err != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	if client.Up(ctx) != nil {
		return nil
	}
	return client
}

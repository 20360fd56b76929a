package cmd

import (
	"context"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/kubewright/kubewright/manifests"
	"github.com/kubewright/kubewright/phases"
	"github.com/kubewright/kubewright/plan"
	"github.com/kubewright/kubewright/templates"
)

// closing says how the run ended and, after a whole init, what to do next.
func (f *initFlags) closing(ctx context.Context, s *session, changes int, out *reporter) error {
	if out.json != nil {
		out.json.emit(event{Event: "result", Changes: &changes})
		return nil
	}
	if f.elsewhere() {
		out.line("Written below %s: %d changes.", f.root, changes)
		return nil
	}
	show := f.phase == "show-join-command" || f.phase == "" && changes > 0
	if f.phase == "upload-certs" && f.uploadCerts && changes > 0 && !f.skipKeyPrint {
		fmt.Fprintf(out.out, "The certificates are encrypted with this key:\n%s\n", hex.EncodeToString(s.facts.CertificateKey))
	}
	if !show || s.facts.Skips("show-join-command") {
		if changes == 0 {
			out.line("Nothing to do: everything is as it should be.")
		}
		return nil
	}
	text, err := f.nextSteps(ctx, s.facts)
	if err != nil {
		return err
	}
	_, err = fmt.Fprint(out.out, text)
	return err
}

// nextSteps is the text at the end of init: how to use the cluster and how to join others.
func (f *initFlags) nextSteps(ctx context.Context, facts *phases.Facts) (string, error) {
	c := facts.Config
	hashes, err := facts.PKI.CAHashes()
	if err != nil {
		return "", err
	}
	token, err := f.joinToken(ctx, facts)
	if err != nil {
		return "", err
	}
	closing := templates.Closing{
		AdminKubeconfig: facts.AdminKubeconfig,
		Endpoint:        c.JoinEndpoint(),
		Token:           token,
		CAHashes:        hashes,
		Shared:          c.Cluster.ControlPlaneEndpoint != "",
		UploadCerts:     facts.UploadCerts && f.certsUploaded(ctx, facts),
		CertificateKey:  hex.EncodeToString(facts.CertificateKey),
	}
	if f.skipKeyPrint {
		closing.CertificateKey = withheld
	}
	return templates.InitClosing(closing)
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

// joinToken is the token to print: one that is in the cluster, or "" when a token has to be made first. A run that carried on
// after an interruption may have made up a token that was not needed any more.
func (f *initFlags) joinToken(ctx context.Context, facts *phases.Facts) (string, error) {
	if f.skipTokenPrint {
		return withheld, nil
	}
	if facts.Skips("bootstrap-token") {
		return "", nil
	}
	client, err := facts.Client(facts.AdminKubeconfig)
	if err != nil {
		return "", err
	}
	for _, t := range facts.Config.Init.BootstrapTokens {
		ok, err := client.TokenExists(ctx, t.Token.ID)
		if err != nil {
			return "", err
		}
		if ok {
			return t.Token.ID + "." + t.Token.Secret, nil
		}
	}
	return "", nil
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

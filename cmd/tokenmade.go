package cmd

import (
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/kubewright/kubewright/config"
	"github.com/kubewright/kubewright/pki"
	"github.com/kubewright/kubewright/templates"
)

// tokenMade is what create prints with -o json for each token, and generate for its only one.
type tokenMade struct {
	// Token is the whole token, a secret.
	Token string `json:"token"`
	// Created is false for a dry run, and for a token that was only generated.
	Created bool `json:"created"`
	// Join is the command that joins a node with it, if --print-join-command asks for it.
	Join string `json:"join,omitempty"`
}

func (f *tokenFlags) printToken(env *Env, t tokenMade) {
	switch {
	case f.output != "text":
		newEvents(env, f.output).object(t)
	case t.Join != "":
		fmt.Fprintln(env.Stdout, t.Join)
	default:
		fmt.Fprintln(env.Stdout, t.Token)
	}
}

// describe is what there is to print of the tokens. Join commands come from what the kubeconfig says about the cluster.
func (f *tokenCreateFlags) describe(program Program, tokens []config.BootstrapToken, found *credentials) ([]tokenMade, error) {
	var made []tokenMade
	for _, t := range tokens {
		made = append(made, tokenMade{Token: t.Token.String(), Created: !f.dryRun})
	}
	if !f.printJoin {
		return made, nil
	}
	endpoint, err := joinEndpoint(found.server, found.path)
	if err != nil {
		return nil, err
	}
	hashes, err := pki.CAHashes(found.ca)
	if err != nil {
		return nil, fmt.Errorf("%w\nname a kubeconfig that holds it with --kubeconfig: %s does not", err, found.path)
	}
	for i := range made {
		closing := templates.Closing{
			Program: string(program), Endpoint: endpoint, Tokens: []string{made[i].Token}, CAHashes: hashes,
			Shared: true, UploadCerts: true, CertificateKey: f.certificateKey,
		}
		if f.certificateKey != "" {
			made[i].Join = closing.ControlPlane()[0]
		} else {
			made[i].Join = closing.Worker()[0]
		}
	}
	return made, nil
}

// checkCertificateKey does not repeat the key: it is a secret.
func (f *tokenCreateFlags) checkCertificateKey() error {
	raw, err := hex.DecodeString(f.certificateKey)
	switch {
	case f.certificateKey == "":
		return nil
	case !f.printJoin:
		return errors.New("cannot use --certificate-key: it is part of the join command; add --print-join-command")
	case err != nil || len(raw) != 32:
		return errors.New("cannot use --certificate-key: want 64 hexadecimal digits\n" +
			"to have a key made: kubewright init phase upload-certs --upload-certs")
	}
	return nil
}

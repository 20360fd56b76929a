package config

import (
	"cmp"
	"fmt"
	"net"
	"net/url"
	"strings"
)

// printJoin is the command that prints everything that a joining machine has to know.
const printJoin = "on a control-plane node, kubewright token create --print-join-command prints it"

// printKey is the one that makes a key for a control plane.
const printKey = "on a control-plane node, kubewright init phase upload-certs --upload-certs prints one"

// Validate says everything that is wrong with the input, each problem with the path of its field in v1beta4 and with what
// would be right. Call it after SetDefaults. Tokens and the certificate key are not repeated.
func (j *Join) Validate() error {
	p := &problems{}
	j.NodeRegistration.check(p)
	checkAbsolute(p, "caCertPath", j.CACertPath)
	if !strings.HasSuffix(j.CACertPath, ".crt") {
		p.add("caCertPath", "%q must end in .crt", j.CACertPath)
	}
	if d := j.Discovery; !j.Known || d.BootstrapToken != nil || d.File != nil {
		j.Discovery.check(p)
	}
	if cp := j.ControlPlane; cp != nil {
		cp.LocalAPIEndpoint.check(p, "controlPlane.localAPIEndpoint.")
		checkCertificateKey(p, "controlPlane.certificateKey", cp.CertificateKey, "leave it out if the shared certificates are on this machine; "+printKey)
	}
	j.Timeouts.check(p)
	return p.err()
}

func (d *Discovery) check(p *problems) {
	const field = "discovery"
	switch {
	case d.BootstrapToken == nil && d.File == nil:
		p.add(field, "give bootstrapToken or file, to say which cluster to join; %s", printJoin)
	case d.BootstrapToken != nil && d.File != nil:
		p.add(field, "give bootstrapToken or file, not both")
	}
	tls := d.TLSBootstrapToken
	if b := d.BootstrapToken; b != nil {
		b.check(p)
		if tls == b.Token {
			tls = "" // it was judged already
		}
	}
	if d.File != nil {
		d.File.check(p)
	}
	if tls != "" {
		checkToken(p, field+".tlsBootstrapToken", tls)
	}
}

func checkToken(p *problems, field, token string) {
	if _, _, err := ParseToken(token); err != nil {
		p.add(field, "%v", err)
	}
}

func (b *BootstrapTokenDiscovery) check(p *problems) {
	const field = "discovery.bootstrapToken."
	hint := "; " + printJoin
	missing := func(name, text string) {
		p.add(field+name, "%s%s", text, hint)
		hint = "" // once is enough
	}
	if b.Token == "" {
		missing("token", "give a token")
	} else {
		checkToken(p, field+"token", b.Token)
	}
	bare := b.APIServerEndpoint
	if _, rest, found := strings.Cut(bare, "://"); found {
		bare = strings.TrimSuffix(rest, "/")
	}
	switch host, port, err := ParseHostPort(bare); {
	case b.APIServerEndpoint == "":
		missing("apiServerEndpoint", "give host:port of an API server")
	case err == nil && bare != b.APIServerEndpoint:
		p.add(field+"apiServerEndpoint", "%q has a scheme; is it %s?", b.APIServerEndpoint, net.JoinHostPort(host, cmp.Or(port, fmt.Sprint(defaultBindPort))))
	case err != nil:
		p.add(field+"apiServerEndpoint", "%v; the port is needed", err)
	case port == "":
		p.add(field+"apiServerEndpoint", "%q has no port; is it %s?", b.APIServerEndpoint, net.JoinHostPort(host, fmt.Sprint(defaultBindPort)))
	}
	if len(b.CACertHashes) == 0 && !b.UnsafeSkipCAVerification {
		missing("caCertHashes", "pin the cluster's CA, or set unsafeSkipCAVerification and trust whoever knows the token")
	}
	for i, pin := range b.CACertHashes {
		checkPin(p, fmt.Sprintf("%scaCertHashes[%d]", field, i), pin)
	}
}

var (
	pinPattern  = newPattern(`^sha256:[0-9a-f]{64}$`)
	hashPattern = newPattern(`^[0-9a-f]{64}$`)
)

func checkPin(p *problems, field, pin string) {
	switch {
	case hashPattern().MatchString(pin):
		p.add(field, "%q: write the kind of hash before it: sha256:%[1]s", pin)
	case !pinPattern().MatchString(pin):
		p.add(field, "%q is no pin; want sha256: and the 64 hexadecimal digits of the SHA-256 of the CA's public key", pin)
	}
}

func (f *FileDiscovery) check(p *problems) {
	const field = "discovery.file.kubeConfigPath"
	u, err := url.Parse(f.KubeConfigPath)
	switch {
	case f.KubeConfigPath == "":
		p.add(field, "give the path of a kubeconfig file or an https URL")
	case err != nil && strings.Contains(f.KubeConfigPath, "://"): // it may hold a password
		p.add(field, "it is neither a path nor a URL that can be read")
	case err == nil && u.Scheme == "https" && u.Host == "":
		p.add(field, "the URL names no host")
	case err == nil && u.Scheme != "" && u.Scheme != "https":
		p.add(field, "the URL starts with %s://; want a path or a URL that starts with https://, because the file says whom to trust", u.Scheme)
	}
}

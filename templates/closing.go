package templates

import "strings"

// Closing is what the text at the end of init says.
type Closing struct {
	// Program is the name of the program in commands.
	Program string
	// AsKubeadm lays out what scripts look for in kubeadm's output as they expect it: its first words, and where commands break.
	AsKubeadm bool
	// AdminKubeconfig is the path of the administrator's credentials.
	AdminKubeconfig string
	// Endpoint is where nodes join, "host:port".
	Endpoint string
	// Tokens are bootstrap tokens, or a text in place of one; none when none is known to be good.
	Tokens []string
	// CAHashes pin the cluster's CA, each "sha256:" and hexadecimal digits.
	CAHashes []string
	// Shared says that there is an endpoint for several control-plane nodes: only then others can join.
	Shared bool
	// UploadCerts says that the certificates are in the cluster, encrypted with CertificateKey.
	UploadCerts bool
	// ExternalCA says that a CA's key is not on this machine, so that its certificates can't be uploaded.
	ExternalCA bool
	// CertificateKey is 64 hexadecimal digits, or a text in their place.
	CertificateKey string
}

// Worker returns the command that joins a worker, one for each token. It holds the token, a secret.
func (c Closing) Worker() []string {
	var list []string
	for _, token := range c.Tokens {
		join := []string{c.Program + " join", c.Endpoint, "--token", word(token)}
		for _, hash := range c.CAHashes {
			join = append(join, "--discovery-token-ca-cert-hash", hash)
		}
		list = append(list, strings.Join(join, " "))
	}
	return list
}

// ControlPlane returns the command that joins a control-plane node, one for each token; none without an endpoint that control
// planes share. With uploaded certificates it holds their key, a secret.
func (c Closing) ControlPlane() []string {
	if !c.Shared {
		return nil
	}
	list := c.Worker()
	for i := range list {
		list[i] += " --control-plane"
		if c.UploadCerts {
			list[i] += " --certificate-key " + word(c.CertificateKey)
		}
	}
	return list
}

// ShowWorker and ShowControlPlane are these commands as the text shows them.
func (c Closing) ShowWorker() []string { return c.show("", c.Worker()) }

func (c Closing) ShowControlPlane() []string { return c.show("  ", c.ControlPlane()) }

// show indents each command, kubeadm's only as far as theirs and broken before the flags that scripts look for at the beginning of
// a line.
func (c Closing) show(theirs string, list []string) []string {
	for i := range list {
		if !c.AsKubeadm {
			list[i] = "  " + list[i]
			continue
		}
		for _, flag := range []string{"--discovery-token-ca-cert-hash", "--control-plane"} {
			list[i] = strings.Replace(list[i], flag, "\\\n\t"+flag, 1)
		}
		list[i] = theirs + list[i]
	}
	return list
}

// InitClosing is the text at the end of init: how to use the cluster, that it needs a network, how nodes join. Every command
// is one line, to be copied, unless it is laid out as kubeadm's. The bootstrap token and the certificate key in it are secrets.
func InitClosing(c Closing) (string, error) {
	c.CertificateKey = word(c.CertificateKey)
	out, err := render("init-closing.txt.tmpl", c)
	return string(out), err
}

// word quotes a text that a shell would not take for one word, such as "<value withheld>".
func word(s string) string {
	if strings.ContainsAny(s, " <>'\"") && !strings.HasPrefix(s, `"`) {
		return `"` + strings.ReplaceAll(s, `"`, `\"`) + `"`
	}
	return s
}

package templates

import "strings"

// Closing is what the text at the end of init says.
type Closing struct {
	// AdminKubeconfig is the path of the administrator's credentials.
	AdminKubeconfig string
	// Endpoint is where nodes join, "host:port".
	Endpoint string
	// Token is a bootstrap token, or a text in its place; empty means that none is known to be good.
	Token string
	// CAHashes pin the cluster's CA, each "sha256:" and hexadecimal digits.
	CAHashes []string
	// Shared says that there is an endpoint for several control-plane nodes: only then others can join.
	Shared bool
	// UploadCerts says that the certificates are in the cluster, encrypted with CertificateKey.
	UploadCerts bool
	// CertificateKey is 64 hexadecimal digits, or a text in their place.
	CertificateKey string
}

// InitClosing is the text at the end of init: how to use the cluster, that it needs a network, how nodes join. Every command
// is one line, to be copied. The bootstrap token and the certificate key in it are secrets.
func InitClosing(c Closing) (string, error) {
	join := []string{"kubewright join", c.Endpoint, "--token", word(c.Token)}
	for _, hash := range c.CAHashes {
		join = append(join, "--discovery-token-ca-cert-hash", hash)
	}
	c.CertificateKey = word(c.CertificateKey)
	out, err := render("init-closing.txt.tmpl", struct {
		Closing
		Join string
	}{c, strings.Join(join, " ")})
	return string(out), err
}

// word quotes a text that a shell would not take for one word, such as "<value withheld>".
func word(s string) string {
	if strings.ContainsAny(s, " <>'\"") {
		return `"` + strings.ReplaceAll(s, `"`, `\"`) + `"`
	}
	return s
}

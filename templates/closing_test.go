package templates

import (
	"slices"
	"strings"
	"testing"
)

func closing() Closing {
	return Closing{
		Program: "kubewright", AdminKubeconfig: "/etc/kubernetes/admin.conf", Endpoint: "api.example.com:6443", Tokens: []string{"abcdef.0123456789abcdef"},
		CAHashes: []string{"sha256:" + strings.Repeat("1f", 32)},
	}
}

func TestInitClosing(t *testing.T) {
	single, shared, upload := closing(), closing(), closing()
	shared.Shared = true
	upload.Shared, upload.UploadCerts, upload.CertificateKey = true, true, strings.Repeat("e6", 32)
	noToken := upload
	noToken.Tokens = nil
	withheld := upload
	withheld.Tokens, withheld.CertificateKey = []string{"<value withheld>"}, "<value withheld>"
	two := closing()
	two.CAHashes = append(two.CAHashes, "sha256:"+strings.Repeat("2e", 32))
	external := shared
	external.ExternalCA = true
	tokens := upload
	tokens.Tokens = append(tokens.Tokens, "fedcba.0123456789abcdef")
	asKubeadm := upload
	asKubeadm.Program, asKubeadm.AsKubeadm = "kubeadm", true
	for name, c := range map[string]Closing{
		"as-kubeadm": asKubeadm,
		"single":     single, "shared": shared, "upload-certs": upload, "no-token": noToken, "withheld": withheld, "two-cas": two,
		"external-ca": external, "two-tokens": tokens,
	} {
		t.Run(name, func(t *testing.T) {
			got, err := InitClosing(c)
			if err != nil {
				t.Fatal(err)
			}
			golden(t, "closing-"+name+".txt", got)
		})
	}
}

// The worker's command is one line that can be copied whole, and control planes are joined only through a shared endpoint.
func TestInitClosingCommands(t *testing.T) {
	c := closing()
	want := "  kubewright join api.example.com:6443 --token abcdef.0123456789abcdef --discovery-token-ca-cert-hash " + c.CAHashes[0]
	c.CertificateKey = "unused" // the command fills it in whether certificates were uploaded or not
	got, err := InitClosing(c)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(strings.Split(got, "\n"), want) {
		t.Errorf("no line %q in:\n%s", want, got)
	}
	for _, text := range []string{"--control-plane", "--certificate-key", `\`, "unused"} {
		if strings.Contains(got, text) {
			t.Errorf("%q in:\n%s", text, got)
		}
	}
}

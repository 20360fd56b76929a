package cluster

import (
	"io/fs"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReadAccess(t *testing.T) {
	text := func(current, cluster, user string) string {
		return "apiVersion: v1\nkind: Config\ncurrent-context: " + current + "\ncontexts: [{name: c, context: {cluster: c, user: u}}]\n" +
			"clusters: [{name: c, cluster: {server: 'https://10.0.0.5:6443'" + cluster + "}}]\nusers: [{name: u, user: {" + user + "}}]\n"
	}
	read := func(path string) ([]byte, error) {
		if path == "/gone" {
			return nil, fs.ErrNotExist
		}
		return []byte("content of " + path), nil
	}
	for name, test := range map[string]struct {
		text string
		want *Access
		err  string
	}{
		"in itself": {text("c", ", certificate-authority-data: Q0E=", "client-certificate-data: TUU="),
			&Access{Server: "https://10.0.0.5:6443", CA: []byte("CA"), ClientCert: []byte("ME")}, ""},
		"in files": {text("c", ", certificate-authority: /ca", "client-certificate: /me"),
			&Access{Server: "https://10.0.0.5:6443", CA: []byte("content of /ca"), ClientCert: []byte("content of /me")}, ""},
		"neither":             {text("c", "", "token: t"), &Access{Server: "https://10.0.0.5:6443"}, ""},
		"no CA file":          {text("c", ", certificate-authority: /gone", ""), nil, "not exist"},
		"no certificate file": {text("c", "", "client-certificate: /gone"), &Access{Server: "https://10.0.0.5:6443"}, ""},
		"no current context":  {text("other", "", ""), nil, "its current context names no cluster"},
		"damaged":             {"{", nil, "yaml"},
	} {
		got, err := ReadAccess([]byte(test.text), read)
		if diff := cmp.Diff(test.want, got); diff != "" || (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
			t.Errorf("%s: %v %s", name, err, diff)
		}
	}
}

package discovery

import (
	"bytes"
	"strings"
	"testing"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// Whatever a discovery file or cluster-info holds, reading it ends; what is accepted can be written, and reads as the same again.
func FuzzKubeconfig(f *testing.F) {
	ca := []byte("-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n")
	for _, c := range []clientcmdapi.Config{
		{Clusters: map[string]*clientcmdapi.Cluster{"": {Server: "https://10.0.0.1:6443", CertificateAuthorityData: ca}}},
		{
			CurrentContext: "c", Contexts: map[string]*clientcmdapi.Context{"c": {Cluster: "a", AuthInfo: "u"}},
			Clusters:  map[string]*clientcmdapi.Cluster{"a": {Server: "https://[::1]:6443", CertificateAuthority: "/ca"}},
			AuthInfos: map[string]*clientcmdapi.AuthInfo{"u": {TokenFile: "/token", ClientCertificate: "/cert", ClientKey: "/key"}},
		},
		{CurrentContext: "c", Contexts: map[string]*clientcmdapi.Context{"c": {}}},
	} {
		text, err := clientcmd.Write(c)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Add([]byte("apiVersion: v1\nkind: Config\nclusters:\n- name: a\n- name: a\ncontexts: [null]\nusers: [{user: null}]\n"))
	f.Add([]byte("clusters: [{cluster: &a {server: 'https://x', extensions: [{name: a, extension: *a}]}}]\n"))
	f.Add([]byte(`{"clusters":[{"name":"","cluster":{"server":"https://%"}}],"current-context":"c","contexts":[{"name":"c","context":null}]}`))
	read := func(string) ([]byte, error) { return []byte(" x\n"), nil }
	f.Fuzz(func(t *testing.T, data []byte) {
		FileCA(data, read)
		if info, err := parse(data); err == nil {
			again(t, info)
		}
		k, err := load(data)
		if err != nil || k.embed(read) != nil {
			return
		}
		k.authenticates()
		again(t, k)
	})
}

func again(t *testing.T, k *kubeconfig) {
	t.Helper()
	if k.user == nil {
		k.user = &clientcmdapi.AuthInfo{Token: "t"}
	}
	text, err := k.encode()
	if err != nil {
		t.Fatal(err)
	}
	back, err := load(text)
	if err != nil {
		t.Fatalf("what was written can't be read: %v\n%s", err, text)
	}
	if back.cluster.Server != k.cluster.Server || !bytes.Equal(back.cluster.CertificateAuthorityData, k.cluster.CertificateAuthorityData) ||
		back.user.Token != k.user.Token {
		t.Fatalf("became another one:\n%s", text)
	}
}

// Who answers in a cluster's place can't take the machine's memory.
func TestKubeconfigBomb(t *testing.T) {
	bomb := "a: &a " + strings.Repeat("x", 10_000) + "\nb: [" + strings.Repeat("*a,", 10_000) + "*a]\n"
	if _, err := parse([]byte(bomb)); err == nil || !strings.Contains(err.Error(), "longer than") {
		t.Errorf("got %v", err)
	}
}

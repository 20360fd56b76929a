package cmd

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubewright/kubewright/config"
)

func TestTokenTable(t *testing.T) {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	end, past := metav1.NewTime(now.Add(23*time.Hour+time.Minute)), metav1.NewTime(now.Add(-time.Hour))
	var out bytes.Buffer
	env := &Env{Stdout: &out}
	if err := tokenTable(env, nil, now); err != nil || out.Len() > 0 {
		t.Errorf("%q, %v", &out, err)
	}
	if err := tokenTable(env, []config.BootstrapToken{
		{Token: &config.BootstrapTokenString{ID: "abcdef", Secret: "0123456789abcdef"}, Expires: &end, Usages: []string{"authentication", "signing"},
			Description: "for the lab", Groups: []string{"system:bootstrappers:kubeadm:default-node-token"}},
		{Token: &config.BootstrapTokenString{ID: "expire", Secret: "0123456789abcdef"}, Expires: &past, Usages: []string{"signing"}},
		{Token: &config.BootstrapTokenString{ID: "fedcba", Secret: "0123456789abcdef"}},
	}, now); err != nil {
		t.Fatal(err)
	}
	want := `TOKEN                     TTL         EXPIRES                USAGES                   DESCRIPTION   EXTRA GROUPS
abcdef.0123456789abcdef   23h         2026-11-25T11:01:00Z   authentication,signing   for the lab   system:bootstrappers:kubeadm:default-node-token
expire.0123456789abcdef   <invalid>   2026-11-24T11:00:00Z   signing                  <none>        <none>
fedcba.0123456789abcdef   <forever>   <never>                <none>                   <none>        <none>
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
}

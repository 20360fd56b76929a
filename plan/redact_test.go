package plan_test

import (
	"context"
	"strings"
	"testing"

	"github.com/kubewright/kubewright/plan"
)

func TestRedact(t *testing.T) {
	for text, want := range map[string]string{
		"value: http://user:s3cret@proxy.example:3128":           "value: http://<redacted>@proxy.example:3128",
		`"https://u:p@[::1]:80/" and "http://a:b@c"`:             `"https://<redacted>@[::1]:80/" and "http://<redacted>@c"`,
		"https://10.0.0.5:6443 mail@example.org etcd=http://x:1": "https://10.0.0.5:6443 mail@example.org etcd=http://x:1",
		"http://a:1/x@y": "http://a:1/x@y",
	} {
		if got := plan.Redact(text); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestNoPasswordInDiffs: what is written has the password, what is shown has not.
func TestNoPasswordInDiffs(t *testing.T) {
	tg := newTarget(t)
	f := plan.File{Path: "/etc/f", Mode: 0o600, Data: []byte("proxy: http://user:s3cret@proxy:3128\n")}
	for range 2 {
		c, err := f.Diff(context.Background(), tg)
		if err != nil || c.Kind == plan.Same || strings.Contains(c.Lines, "s3cret") || !strings.Contains(c.Lines, "proxy:3128") {
			t.Errorf("%+v, %v", c, err)
		}
		write("/etc/f", "proxy: http://user:s3cret@other:3128\n", 0o600)(t, tg)
	}
	if err := f.Apply(context.Background(), tg); err != nil || !holds("/etc/f", string(f.Data), 0o600)(t, tg) {
		t.Errorf("the file is not what it should be: %v", err)
	}
}

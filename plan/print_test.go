package plan_test

import (
	"context"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubewright/kubewright/plan"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

func TestText(t *testing.T) {
	p := parse(t, wholePlan+"phase end\n stubborn mule\n")
	for _, c := range []struct {
		name    string
		opts    plan.TextOptions
		prepare func(*testing.T, *plan.Target)
	}{
		{name: "blank.txt"},
		{name: "blank-verbose.txt", opts: plan.TextOptions{Verbose: true}},
		{name: "changed.txt", prepare: func(t *testing.T, tg *plan.Target) {
			if _, err := newRunner(tg).Run(context.Background(), parse(t, wholePlan)); err != nil {
				t.Fatal(err)
			}
			write("/etc/pki/ca.key", "OTHERKEY", 0o600)(t, tg)
			write("/etc/pki/ca.crt", "OTHER", 0o600)(t, tg)
			write("/etc/kubelet.conf", "OTHER", 0o644)(t, tg)
			write("/etc/old", "back again", 0o644)(t, tg)
		}},
		{name: "no-cluster.txt", prepare: func(_ *testing.T, tg *plan.Target) { tg.API, tg.Systemd = nil, nil }},
	} {
		t.Run(c.name, func(t *testing.T) {
			tg := newTarget(t)
			if c.prepare != nil {
				c.prepare(t, tg)
			}
			items, err := p.Preview(context.Background(), tg)
			if err != nil {
				t.Fatal(err)
			}
			text := plan.Text(items, c.opts)
			if strings.Contains(text, "KEY") {
				t.Error("the printed plan holds a key")
			}
			golden(t, c.name, text)
		})
	}
}

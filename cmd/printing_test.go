package cmd

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
)

// thing has its fields in an order that is not that of the alphabet.
type thing struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Name       string `json:"name"`
	Images     []int  `json:"images"`
}

// printThings prints two of them in the form that the flags ask for.
func printThings(flags ...string) (string, error) {
	var p printing
	c := &cobra.Command{Use: "x", SilenceUsage: true, SilenceErrors: true}
	p.add(c)
	var out bytes.Buffer
	c.RunE = func(*cobra.Command, []string) error {
		if err := p.check(); err != nil || p.text() {
			return err
		}
		for _, name := range []string{"a", "b"} {
			if err := p.print(&out, thing{"v1", "Thing", name, []int{1, 2}}); err != nil {
				return err
			}
		}
		return nil
	}
	c.SetArgs(flags)
	err := c.Execute()
	return out.String(), err
}

func TestPrinting(t *testing.T) {
	file := filepath.Join(t.TempDir(), "template")
	if err := os.WriteFile(file, []byte("{.name}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	const object = `{
    "apiVersion": "v1",
    "kind": "Thing",
    "name": "NAME",
    "images": [
        1,
        2
    ]
}
`
	for flags, want := range map[string]string{
		"":                            "",
		"-o text":                     "",
		"-o json":                     strings.Replace(object, "NAME", "a", 1) + strings.Replace(object, "NAME", "b", 1),
		"-o YAML":                     "apiVersion: v1\nimages:\n- 1\n- 2\nkind: Thing\nname: a\n---\napiVersion: v1\nimages:\n- 1\n- 2\nkind: Thing\nname: b\n",
		"-o go-template={{.name}};":   "a;b;",
		"-o template={{.wrong}};":     "<no value>;<no value>;",
		"-o jsonpath={.images[1]}":    "22",
		"-o jsonpath={.wrong}":        "",
		"-o jsonpath-as-json={.name}": "[\n    \"a\"\n]\n[\n    \"b\"\n]\n",
		"-o jsonpath-file=" + file:    "a\nb\n",
		"-o go-template-file=" + file: "{.name}\n{.name}\n",
		"--show-managed-fields -o jsonpath={.kind}": "ThingThing",
	} {
		got, err := printThings(strings.Fields(flags)...)
		if err != nil {
			t.Errorf("%s: %v", flags, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", flags, diff)
		}
	}
	if got, err := printThings("-o", "kyaml"); err != nil || !strings.Contains(got, `name: "b",`) || !strings.HasPrefix(got, "---\n{") {
		t.Errorf("kyaml: %q, %v", got, err)
	}
}

func TestPrintingRefuses(t *testing.T) {
	for flags, want := range map[string]string{
		"-o xml":                       `cannot print as "xml": --output takes text, json, yaml, kyaml,`,
		"-o json=x":                    `cannot print as "json=x": --output takes`,
		"-o jsonpath":                  `cannot print as "jsonpath": say which template, as in --output jsonpath=...`,
		"-o jsonpath={":                "cannot use the template of --output:",
		"-o template={{":               "cannot use the template of --output:",
		"-o templatefile=/nonexistent": "cannot read the template of --output: open /nonexistent:",
		"-o jsonpath={.wrong} --allow-missing-template-keys=false":   "cannot print as --output asks: ",
		"-o template={{.wrong}} --allow-missing-template-keys=false": "cannot print as --output asks: ",
	} {
		got, err := printThings(strings.Fields(flags)...)
		if err == nil || !strings.Contains(err.Error(), want) || got != "" {
			t.Errorf("%s: %v, want %s; printed %q", flags, err, want, got)
		}
	}
}

package cmd

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/cli-runtime/pkg/printers"

	"github.com/kubewright/kubewright/cause"
)

// printing are the flags of a command that prints objects in any form that kubectl and kubeadm know, besides its own text. The
// zero value is ready for add.
type printing struct {
	output            string
	allowMissing      bool
	showManagedFields bool
	printer           printers.ResourcePrinter
}

// plainForms need nothing but the object; templateForms take a template behind "=", and fileForms the name of a file that has one.
var (
	plainForms    = []string{"json", "yaml", "kyaml"}
	templateForms = []string{"go-template", "template", "jsonpath", "jsonpath-as-json"}
	fileForms     = []string{"go-template-file", "templatefile", "jsonpath-file"}
)

// add gives the command -o, --allow-missing-template-keys and --show-managed-fields.
func (p *printing) add(c *cobra.Command) {
	c.Flags().StringVarP(&p.output, "output", "o", "text", "text, "+orList(slices.Concat(plainForms, templateForms, fileForms)))
	c.Flags().BoolVar(&p.allowMissing, "allow-missing-template-keys", true,
		"print <no value>, or nothing, where a go-template or jsonpath names a field that is missing, instead of failing")
	c.Flags().BoolVar(&p.showManagedFields, "show-managed-fields", false, "keep managedFields in json and yaml; no object here has any")
}

// text says that the command prints its own text.
func (p *printing) text() bool { return p.output == "text" }

// check says whether the form is known and its template is good, before anything is done for it.
func (p *printing) check() error {
	return cause.Usage.Mark(p.read())
}

func (p *printing) read() error {
	form, template, given := strings.Cut(p.output, "=")
	form = strings.ToLower(form)
	switch {
	case p.text():
		return nil
	case slices.Contains(plainForms, form) && !given:
		p.printer = map[string]printers.ResourcePrinter{
			"json": &printers.JSONPrinter{}, "yaml": &printers.YAMLPrinter{}, "kyaml": &printers.KYAMLPrinter{},
		}[form]
		return nil
	case !slices.Contains(templateForms, form) && !slices.Contains(fileForms, form):
		return checkOutput(p.output, slices.Concat([]string{"text"}, plainForms, templateForms, fileForms)...)
	case template == "":
		return fmt.Errorf("cannot print as %q: say which template, as in --output %s=...", p.output, form)
	}
	if slices.Contains(fileForms, form) {
		data, err := os.ReadFile(template)
		if err != nil {
			return fmt.Errorf("cannot read the template of --output: %w", err)
		}
		template = string(data)
	}
	if err := p.useTemplate(form, template); err != nil {
		return fmt.Errorf("cannot use the template of --output: %w", err)
	}
	return nil
}

func (p *printing) useTemplate(form, template string) error {
	if !strings.HasPrefix(form, "jsonpath") {
		printer, err := printers.NewGoTemplatePrinter([]byte(template))
		if err != nil {
			return err
		}
		printer.AllowMissingKeys(p.allowMissing)
		p.printer = printer
		return nil
	}
	printer, err := printers.NewJSONPathPrinter(template)
	if err != nil {
		return err
	}
	printer.AllowMissingKeys(p.allowMissing)
	printer.EnableJSONOutput(form == "jsonpath-as-json")
	p.printer = printer
	return nil
}

// print prints a value that marshals to a JSON object with apiVersion and kind. Several values become several documents. The
// printers write what they know about a template that fails where data should be; that is left out.
func (p *printing) print(w io.Writer, value any) error {
	var out bytes.Buffer
	data, err := json.Marshal(value)
	if err == nil {
		err = p.printer.PrintObj(printed{data}, &out)
	}
	if err != nil {
		return fmt.Errorf("cannot print as --output asks: %w", err)
	}
	_, err = out.WriteTo(w)
	return err
}

// printed lends a value to the printers, which take Kubernetes objects: its fields keep their order.
type printed struct{ json.RawMessage }

// GetObjectKind is not empty, and more the printers do not ask of it: they print apiVersion and kind as the value has them.
func (printed) GetObjectKind() schema.ObjectKind {
	return &runtime.TypeMeta{APIVersion: "output.kubeadm.k8s.io/v1alpha3", Kind: "Output"}
}

// DeepCopyObject copies nothing: nobody changes what is printed.
func (p printed) DeepCopyObject() runtime.Object { return p }

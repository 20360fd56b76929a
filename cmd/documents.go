package cmd

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

// documents is the -o of a command that prints YAML documents: text and yaml are these, json is one line for each.
type documents struct{ form string }

func (d *documents) add(c *cobra.Command) {
	c.Flags().StringVarP(&d.form, "output", "o", "text", "text or yaml, which are the same, or json: one line for each document")
	ownFlags(c.Flags(), "output")
}

// check says whether the form is known, before anything is done for it.
func (d *documents) check() error { return checkOutput(d.form, "text", "json", "yaml") }

// print prints the documents on stdout.
func (d *documents) print(env *Env, data []byte) error {
	if d.form != "json" {
		_, err := env.Stdout.Write(data)
		return err
	}
	reader := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(data)))
	for {
		doc, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			doc, err = yaml.YAMLToJSON(doc)
		}
		if err != nil {
			return fmt.Errorf("cannot print as json: %w", err)
		}
		if !bytes.Equal(doc, []byte("null")) { // nothing but comments
			fmt.Fprintln(env.Stdout, string(doc))
		}
	}
}

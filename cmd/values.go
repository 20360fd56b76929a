package cmd

import (
	"bytes"
	"encoding/json"
	"fmt"

	"go.yaml.in/yaml/v3"
)

// printValue prints one value on stdout, as indented JSON or as YAML.
func printValue(env *Env, form string, v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err == nil && form == "yaml" {
		if data, err = orderedYAML(data); err == nil {
			data = data[:len(data)-1]
		}
	}
	if err != nil {
		return fmt.Errorf("cannot print as %s: %w", form, err)
	}
	_, err = fmt.Fprintln(env.Stdout, string(data))
	return err
}

// orderedYAML turns JSON, which is YAML, into the form of YAML that people read. The fields stay in their order.
func orderedYAML(data []byte) ([]byte, error) {
	var n yaml.Node
	if err := yaml.Unmarshal(data, &n); err != nil {
		return nil, err
	}
	plainStyle(&n)
	var out bytes.Buffer
	enc := yaml.NewEncoder(&out)
	enc.SetIndent(2)
	err := enc.Encode(&n)
	return out.Bytes(), err
}

func plainStyle(n *yaml.Node) {
	n.Style = 0
	for _, c := range n.Content {
		plainStyle(c)
	}
}

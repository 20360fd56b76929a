package config

import (
	"bytes"
	"fmt"

	yamlnode "go.yaml.in/yaml/v3"
)

// maxExpanded bounds what a YAML document may be once its aliases are written out, in bytes. The cluster could not keep one that
// is half as long.
const maxExpanded = 4 << 20

// CheckYAML says that text is too long, by itself or with its aliases written out. The parsers of YAML bound only how many values
// aliases make, not how long they are, so that a small file could take all of the memory. What is no YAML is left for them to say.
func CheckYAML(text []byte) error {
	if len(text) > maxExpanded {
		return errTooLong
	}
	decoder := yamlnode.NewDecoder(bytes.NewReader(text))
	for {
		var root yamlnode.Node
		if err := decoder.Decode(&root); err != nil {
			return nil // the end, or a mistake
		}
		if expanded(&root, map[*yamlnode.Node]int{}) > maxExpanded {
			return errTooLong
		}
	}
}

var errTooLong = fmt.Errorf("the document is longer than %d MiB, with its aliases written out", maxExpanded>>20)

// expanded is the length of a node with its aliases written out, roughly; too long ones are maxExpanded+1. known are the nodes that
// aliases refer to.
func expanded(node *yamlnode.Node, known map[*yamlnode.Node]int) int {
	if node.Kind == yamlnode.AliasNode {
		node = node.Alias
	}
	if size, ok := known[node]; ok {
		return size
	}
	if node.Anchor != "" {
		known[node] = 0 // what contains itself is for the parser to refuse
	}
	size := len(node.Value) + 2
	for _, child := range node.Content {
		size = min(size+expanded(child, known), maxExpanded+1)
	}
	if node.Anchor != "" {
		known[node] = size
	}
	return size
}

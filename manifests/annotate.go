package manifests

import (
	"errors"
	"fmt"
	"reflect"
	"strings"

	yamlnode "go.yaml.in/yaml/v3"
	"sigs.k8s.io/yaml"
)

// WithHash is the manifest of a static pod with another hash of the files that it reads, so that the kubelet restarts it, and else as
// it was, comments included. A manifest with HashAnnotation has it there, others get RenewedAnnotation. One that is not written in
// the usual way, as JSON, is written anew with the same content. The error is that it is no manifest.
func WithHash(manifest []byte, hash string) ([]byte, error) {
	var root yamlnode.Node
	var before map[string]any
	if err := errors.Join(yamlnode.Unmarshal(manifest, &root), yaml.Unmarshal(manifest, &before)); err != nil || root.Kind == 0 {
		return nil, errors.New("cannot annotate the manifest: it is no YAML")
	}
	meta, _ := before["metadata"].(map[string]any)
	if meta == nil {
		return nil, errors.New("cannot annotate the manifest: it has no metadata")
	}
	have, _ := meta["annotations"].(map[string]any)
	name := RenewedAnnotation
	if _, ours := have[HashAnnotation]; ours {
		name = HashAnnotation
	}
	metadata := field(root.Content[0], "metadata")
	edited := edit(manifest, metadata, name, hash)
	annotations := map[string]any{name: hash}
	for key, value := range have {
		if key != name {
			annotations[key] = value
		}
	}
	meta["annotations"] = annotations
	var after map[string]any
	if yaml.Unmarshal(edited, &after) == nil && reflect.DeepEqual(before, after) {
		return edited, nil
	}
	data, err := yaml.Marshal(before)
	if err != nil {
		return nil, fmt.Errorf("cannot annotate the manifest: %w", err)
	}
	return data, nil
}

// edit changes or adds one line below metadata, or two. What it can't do comes out wrong, which WithHash notices.
func edit(manifest []byte, metadata *yamlnode.Node, name, hash string) []byte {
	lines := strings.SplitAfter(string(manifest), "\n")
	line := func(indent int, text string) string { return strings.Repeat(" ", indent) + text + "\n" }
	scalar, err := yaml.Marshal(hash) // digits alone would be a number
	if err != nil {
		return nil
	}
	entry := name + ": " + strings.TrimSpace(string(scalar))
	annotations := field(metadata, "annotations")
	if value := field(annotations, name); value != nil {
		lines[value.Line-1] = line(annotations.Content[0].Column-1, entry)
		return []byte(strings.Join(lines, ""))
	}
	if metadata == nil || len(metadata.Content) == 0 {
		return nil
	}
	first := metadata.Content[0]
	both := line(first.Column-1, "annotations:") + line(first.Column+1, entry)
	switch {
	case annotations == nil:
		lines[first.Line-1] = both + lines[first.Line-1]
	case len(annotations.Content) == 0:
		lines[annotations.Line-1] = both
	default:
		at := annotations.Content[0]
		lines[at.Line-1] = line(at.Column-1, entry) + lines[at.Line-1]
	}
	return []byte(strings.Join(lines, ""))
}

// field is the value of a key in a mapping; nil where there is none.
func field(mapping *yamlnode.Node, key string) *yamlnode.Node {
	if mapping == nil || mapping.Kind != yamlnode.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == key {
			return mapping.Content[i+1]
		}
	}
	return nil
}

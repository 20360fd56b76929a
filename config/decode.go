package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	yamlnode "go.yaml.in/yaml/v3"
	strictjson "sigs.k8s.io/json"
)

// decode fills target from a document. When that fails it finds every field that is to blame: the decoder is asked again about
// each field alone, and about each field inside the ones that fail. That gives all problems with their places, needs no
// knowledge of the types, and costs nothing for a good file.
func decode[T any](l *loader, d document, target *T) {
	if d.apiVersion == APIVersion {
		l.noMergeMethods(d)
	}
	if strict(d.value, target) == nil {
		return
	}
	b := blame{loader: l, kind: d.kind, root: d.node, try: func(value any) error { return strict(value, new(T)) }}
	b.find(d.value, nil, func(v any) any { return v })
}

// strict decodes a value; unknown fields are errors.
func strict[T any](value any, target *T) error {
	data, err := json.Marshal(value)
	if err != nil {
		return err
	}
	unknown, err := strictjson.UnmarshalStrict(data, target)
	if err != nil {
		return err
	}
	return errors.Join(unknown...)
}

// blame finds the fields of one document that cannot be decoded.
type blame struct {
	*loader
	kind string
	root *yamlnode.Node
	try  func(any) error
}

// find records what is wrong with the value at path. wrap builds the whole document around a value at that place.
func (b *blame) find(value any, path []string, wrap func(any) any) {
	err := b.try(wrap(value))
	if err == nil {
		return
	}
	found := len(b.problems)
	switch v := value.(type) {
	case map[string]any:
		if b.try(wrap(map[string]any{})) != nil {
			break
		}
		for _, key := range slices.Sorted(maps.Keys(v)) {
			b.find(v[key], append(slices.Clip(path), key), func(x any) any { return wrap(map[string]any{key: x}) })
		}
	case []any:
		if b.try(wrap([]any{})) != nil {
			break
		}
		for i, item := range v {
			b.find(item, append(slices.Clip(path), strconv.Itoa(i)), func(x any) any { return wrap([]any{x}) })
		}
	}
	if len(b.problems) > found {
		return
	}
	line, text := lineOf(b.root, path...), b.kind+": "+explain(err, b.field(path))
	if unknown := (strictjson.FieldError)(nil); errors.As(err, &unknown) {
		b.addMinor(line, "it is left out", "%s", text)
	} else {
		b.add(line, "%s", text)
	}
}

// explain puts a decoder's error into the words of the file.
func explain(err error, field string) string {
	var wrongType *json.UnmarshalTypeError
	var unknown strictjson.FieldError
	switch {
	case errors.As(err, &unknown):
		return "unknown field " + field
	case errors.As(err, &wrongType):
		// The value may be a secret: only its type is told.
		have, _, _ := strings.Cut(wrongType.Value, " ")
		return mismatch(field, wrongType.Type.Kind(), have)
	}
	text := strings.TrimPrefix(err.Error(), "json: ")
	if rest, isDuration := strings.CutPrefix(text, "time: "); isDuration {
		text = rest + "; want a duration such as 1h30m0s"
	}
	return field + ": " + text
}

// mismatch tells of a value of one shape where another is wanted, and of the mistake that is probably behind it.
func mismatch(field string, kind reflect.Kind, have string) string {
	want, ok := map[reflect.Kind]string{
		reflect.String: "text", reflect.Bool: "true or false", reflect.Slice: "a list", reflect.Map: "fields", reflect.Struct: "fields",
	}[kind]
	if !ok {
		want = "a number (" + kind.String() + ")"
	}
	shown, ok := map[string]string{"string": "text", "bool": "true or false", "array": "a list", "object": "fields", "number": "a number"}[have]
	if !ok {
		shown = have
	}
	text := fmt.Sprintf("%s: want %s, have %s", field, want, shown)
	switch {
	case !ok && have == "number", strings.HasPrefix(want, "a number") && strings.HasPrefix(have, "number"):
		return fmt.Sprintf("%s: want %s, have one that is out of its range or not whole", field, want)
	case kind == reflect.String && (have == "number" || have == "bool"):
		text += "; put it in quotes"
	case have == "string" && kind != reflect.Slice && kind != reflect.Map && kind != reflect.Struct:
		text += "; take the quotes away"
	case kind == reflect.Slice && have == "object" && strings.HasSuffix(strings.ToLower(field), "extraargs"):
		text += "; since v1beta4 arguments are a list of name and value"
	}
	return text
}

// field writes a path as people do: apiServer.extraArgs[0].value.
func (b *blame) field(path []string) string {
	node, text := b.root, ""
	for _, step := range path {
		if node = deref(node); node != nil && node.Kind == yamlnode.SequenceNode {
			text += "[" + step + "]"
		} else {
			text = join(text, step)
		}
		node, _ = child(node, step)
	}
	if text == "" {
		return "document"
	}
	return text
}

// lineOf is the line of the field at path, or of the nearest field above it that the text shows.
func lineOf(node *yamlnode.Node, path ...string) int {
	line := node.Line
	for _, step := range path {
		next, at := child(node, step)
		if next == nil {
			break
		}
		node, line = next, at
	}
	return line
}

// child is a field or an item of a node, and its line; nil when there is none.
func child(node *yamlnode.Node, step string) (*yamlnode.Node, int) {
	if node = deref(node); node == nil {
		return nil, 0
	}
	switch node.Kind {
	case yamlnode.MappingNode:
		for i := 0; i+1 < len(node.Content); i += 2 {
			if node.Content[i].Value == step {
				return node.Content[i+1], node.Content[i].Line
			}
		}
	case yamlnode.SequenceNode:
		if i, err := strconv.Atoi(step); err == nil && i >= 0 && i < len(node.Content) {
			return node.Content[i], node.Content[i].Line
		}
	}
	return nil, 0
}

func deref(node *yamlnode.Node) *yamlnode.Node {
	for node != nil && node.Kind == yamlnode.AliasNode {
		node = node.Alias
	}
	return node
}

package manifests

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"

	"github.com/kubewright/kubewright/config"
)

// The types of patches.
const (
	strategicPatch = "strategic"
	mergePatch     = "merge" // RFC 7386
	jsonPatch      = "json"  // RFC 6902
)

// longestPatched bounds what a patch makes of a document, in bytes.
const longestPatched = 4 << 20

// documents splits a file into patches like one.
func documents(one patch, data []byte) ([]patch, error) {
	if one.kind == "" {
		return nil, errors.New("unknown patch type after the plus in its name: want strategic, merge or json")
	}
	var list []patch
	reader := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(data)))
	for number := 1; ; number++ {
		text, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return list, nil
		}
		if err != nil {
			return nil, fmt.Errorf("document %d: %w", number, err)
		}
		if len(bytes.TrimSpace(text)) == 0 {
			continue
		}
		if err = config.CheckYAML(text); err == nil {
			one.doc, err = yaml.YAMLToJSONStrict(text)
		}
		if err != nil {
			return nil, fmt.Errorf("document %d: %w", number, err)
		}
		if string(one.doc) != "null" { // only comments
			list = append(list, one)
		}
	}
}

// apply patches a JSON document. like is a value of the type that it has, for strategic merge patches.
func (p patch) apply(data []byte, like any) (patched []byte, err error) {
	defer func() { // the libraries trust that directives have the types that they should have
		if cause := recover(); cause != nil {
			patched, err = nil, fmt.Errorf("it can't be understood: %v", cause)
		}
	}()
	switch p.kind {
	case jsonPatch:
		operations, err := jsonpatch.DecodePatch(p.doc)
		if err != nil {
			return nil, fmt.Errorf("a patch of type json is a list of operations (RFC 6902): %w", err)
		}
		// One by one: each copies at most the whole, and a few that copy copies would take all memory.
		for _, operation := range operations {
			if data, err = (jsonpatch.Patch{operation}).Apply(data); err != nil {
				return nil, err
			}
			if len(data) > longestPatched {
				return nil, fmt.Errorf("what it makes is longer than %d MiB", longestPatched>>20)
			}
		}
		return data, nil
	case mergePatch:
		return jsonpatch.MergePatch(data, p.doc)
	default:
		return strategicpatch.StrategicMergePatch(data, p.doc, like)
	}
}

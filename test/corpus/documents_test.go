package corpus

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
	"sigs.k8s.io/yaml"
)

// document is one configuration file of the corpus.
type document struct {
	name, text string
	// field is the last part of the path of what was changed in a right document; empty where the document was written by hand.
	field string
}

// documents are those of the unit tests, files that were written for this test, values at borders, and whole documents with each of
// their fields changed in each of several ways; of the last two one of `every`, unless $KUBEWRIGHT_CORPUS says all.
func documents(t *testing.T, every uint32) []document {
	t.Helper()
	wanted := func(name string) bool {
		h := fnv.New32a()
		h.Write([]byte(name))
		return every == 1 || h.Sum32()%every == 0
	}
	if os.Getenv("KUBEWRIGHT_CORPUS") == "all" {
		every = 1
	}
	var list []document
	for _, pattern := range []string{"good", "bad", "join-good", "join-bad", "reset-good", "reset-bad", "upgrade-good", "upgrade-bad", "migrate"} {
		list = append(list, fromFiles(t, "../../config/testdata/"+pattern+"/*.yaml")...)
	}
	for _, f := range parse(t, "testdata/files.txtar").Files {
		list = append(list, document{name: "files/" + f.Name, text: string(f.Data)})
	}
	const reset = "apiVersion: kubeadm.k8s.io/v1beta4\nkind: ResetConfiguration\n"
	list = append(list,
		document{name: "files/crlf", text: strings.ReplaceAll(reset, "\n", "\r\n")},
		document{name: "files/bom", text: "\ufeff" + reset},
		document{name: "files/no-end-of-line", text: strings.TrimSpace(reset)},
		document{name: "files/nul", text: reset + "\x00"},
		document{name: "files/not-utf8", text: reset + "criSocket: \xff\n"})
	list = append(list, borders(t, wanted)...)
	for _, whole := range fromFiles(t, "testdata/whole/*.yaml") {
		list = append(list, whole)
		list = append(list, mutations(t, whole, wanted)...)
	}
	return list
}

func fromFiles(t *testing.T, pattern string) []document {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("no files %s: %v", pattern, err)
	}
	var list []document
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, document{name: filepath.Base(filepath.Dir(file)) + "/" + filepath.Base(file), text: string(data)})
	}
	return list
}

func parse(t *testing.T, file string) *txtar.Archive {
	t.Helper()
	a, err := txtar.ParseFile(file)
	if err != nil || len(a.Files) == 0 {
		t.Fatalf("%s: %v", file, err)
	}
	return a
}

// borders makes a document of each wanted value in testdata/values.yaml.
func borders(t *testing.T, wanted func(name string) bool) []document {
	t.Helper()
	data, err := os.ReadFile("testdata/values.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var groups map[string]map[string]any
	if err := yaml.Unmarshal(data, &groups); err != nil {
		t.Fatal(err)
	}
	var list []document
	for _, group := range slices.Sorted(maps.Keys(groups)) {
		base := groups[group]["base"]
		delete(groups[group], "base")
		if base == nil {
			t.Fatalf("%s has no base", group)
		}
		for _, path := range slices.Sorted(maps.Keys(groups[group])) {
			for i, value := range groups[group][path].([]any) {
				name := fmt.Sprintf("values/%s %s #%d", group, path, i)
				if !wanted(name) {
					continue
				}
				parts := strings.Split(path, ".")
				text := text(t, changed(base, parts, func(any) any { return value }))
				if group == "kubelet" || group == "proxy" { // they are judged beside a ClusterConfiguration only
					text = "apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\nkubernetesVersion: v1.37.2\n---\n" + text
				}
				list = append(list, document{name, text, parts[len(parts)-1]})
			}
		}
	}
	return list
}

func text(t *testing.T, value any) string {
	t.Helper()
	data, err := yaml.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// changed is a copy of a value in which the field at path is what change makes of it; removed stands for no field.
func changed(value any, path []string, change func(any) any) any {
	if len(path) == 0 {
		return change(value)
	}
	switch v := value.(type) {
	case []any:
		v = slices.Clone(v)
		if i, err := strconv.Atoi(path[0]); err == nil && i < len(v) {
			v[i] = changed(v[i], path[1:], change)
		}
		return v
	case map[string]any:
		v = maps.Clone(v)
		if v[path[0]] = changed(v[path[0]], path[1:], change); v[path[0]] == any(removed{}) {
			delete(v, path[0])
		}
		return v
	case nil:
		return map[string]any{path[0]: changed(nil, path[1:], change)}
	}
	return value
}

// removed is the value of a field that is taken away.
type removed struct{}

// ways are what is done to each field of whole documents.
var ways = map[string]func(any) any{
	"unset":      func(any) any { return removed{} },
	"null":       func(any) any { return nil },
	"empty":      empty,
	"wrong type": wrongType,
	"negative":   func(v any) any { return ifNumber(v, -1) },
	"huge":       func(v any) any { return ifNumber(v, 1<<40) },
	"odd text":   func(v any) any { return ifText(v, "no such: Thing!") },
	"blank":      func(v any) any { return ifText(v, " ") },
	"twice":      func(v any) any { return ifList(v, func(l []any) []any { return append(l, l[0]) }) },
	"null item":  func(v any) any { return ifList(v, func(l []any) []any { return append(l, nil) }) },
	"unknown": func(v any) any {
		if m, ok := v.(map[string]any); ok {
			m = maps.Clone(m)
			m["unheardOf"] = "x"
			return m
		}
		return v
	},
}

func empty(v any) any {
	switch v.(type) {
	case string:
		return ""
	case bool:
		return false
	case float64:
		return 0
	case []any:
		return []any{}
	}
	return map[string]any{}
}

func wrongType(v any) any {
	switch v.(type) {
	case string, []any:
		return map[string]any{"a": "b"}
	case map[string]any:
		return "text"
	}
	return "text"
}

func ifNumber(v any, value int) any {
	if _, ok := v.(float64); ok {
		return value
	}
	return v
}

func ifText(v any, value string) any {
	if _, ok := v.(string); ok {
		return value
	}
	return v
}

func ifList(v any, value func([]any) []any) any {
	if l, ok := v.([]any); ok && len(l) > 0 {
		return value(slices.Clone(l))
	}
	return v
}

// mutations are the whole document as JSON, and with one thing changed each time.
func mutations(t *testing.T, whole document, wanted func(name string) bool) []document {
	t.Helper()
	before, last, split := strings.Cut(whole.text, "\n---\n")
	if !split {
		before, last = "", whole.text
	} else {
		before += "\n---\n"
	}
	var value any
	if err := yaml.Unmarshal([]byte(last), &value); err != nil {
		t.Fatal(err)
	}
	asJSON, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	list := []document{{name: whole.name + " as JSON", text: before + string(asJSON) + "\n"}}
	var walk func(v any, path []string)
	walk = func(v any, path []string) {
		made := []any{v}
		for _, way := range slices.Sorted(maps.Keys(ways)) {
			now := ways[way](v)
			same := func(other any) bool { return reflect.DeepEqual(now, other) }
			if len(path) == 0 && way != "unknown" || slices.ContainsFunc(made, same) || way == "unset" && isIndex(path[len(path)-1]) {
				continue
			}
			made = append(made, now)
			field := "unheardOf"
			if way != "unknown" {
				field = lastName(path)
			}
			if name := fmt.Sprintf("%s %s: %s", whole.name, strings.Join(path, "."), way); wanted(name) {
				list = append(list, document{name, before + text(t, changed(value, path, func(any) any { return now })), field})
			}
		}
		switch v := v.(type) {
		case map[string]any:
			for _, key := range slices.Sorted(maps.Keys(v)) {
				walk(v[key], append(slices.Clip(path), key))
			}
		case []any:
			for i := range v {
				walk(v[i], append(slices.Clip(path), strconv.Itoa(i)))
			}
		}
	}
	walk(value, nil)
	return list
}

func isIndex(part string) bool {
	_, err := strconv.Atoi(part)
	return err == nil
}

// lastName is the last part of a path that is a name.
func lastName(path []string) string {
	for _, part := range slices.Backward(path) {
		if !isIndex(part) {
			return part
		}
	}
	return ""
}

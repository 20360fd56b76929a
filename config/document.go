package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	yamlnode "go.yaml.in/yaml/v3"
	"sigs.k8s.io/yaml"
)

// chunk is the text of one document and the line of the file where it starts.
type chunk struct {
	text []byte
	line int
}

// document is one parsed document. Its value is what kubeadm's own conversion from YAML to JSON gives; the node tree has
// the same shape and knows the lines.
type document struct {
	apiVersion, kind        string
	line, apiLine, kindLine int
	node                    *yamlnode.Node
	// text is the document as the user wrote it.
	text  []byte
	value map[string]any
}

// problem is one thing that is wrong with a file. With a minor one, a field that is unknown or repeated, the rest can be used;
// minor says what becomes of the field.
type problem struct {
	line        int
	text, minor string
}

// loader collects the problems of one file, and the remarks about it.
type loader struct {
	name     string
	problems []problem
	warnings []string
	// experimental allows documents of experimentalVersion.
	experimental bool
	// whole says that all of the file is judged: a document that nobody reads is a problem.
	whole bool
}

func (l *loader) add(line int, format string, args ...any) {
	l.problems = append(l.problems, problem{line: line, text: fmt.Sprintf(format, args...)})
}

func (l *loader) addMinor(line int, minor, format string, args ...any) {
	l.problems = append(l.problems, problem{line, fmt.Sprintf(format, args...), minor})
}

func (l *loader) warn(line int, format string, args ...any) {
	l.warnings = append(l.warnings, l.at(line, fmt.Sprintf(format, args...)))
}

func (l *loader) at(line int, text string) string {
	return fmt.Sprintf("%s:%d: %s", l.name, line, text)
}

func (l *loader) sort() {
	slices.SortStableFunc(l.problems, func(a, b problem) int { return a.line - b.line })
}

// split cuts a file at the lines that start with three dashes. Every document is parsed on its own, so that a syntax error in
// one does not hide what is wrong with the others.
func split(data []byte) []chunk {
	chunks := []chunk{{line: 1}}
	line := 0
	for text := range bytes.Lines(data) {
		line++
		if rest, ok := bytes.CutPrefix(text, []byte("---")); ok && (len(rest) == 0 || bytes.ContainsAny(rest[:1], " \t\r\n")) {
			chunks = append(chunks, chunk{line: line})
		}
		last := &chunks[len(chunks)-1]
		last.text = append(last.text, text...)
	}
	return chunks
}

// parse reads one document; false means that it is empty or that its problems were recorded.
func (l *loader) parse(c chunk) (document, bool) {
	decoder := yamlnode.NewDecoder(bytes.NewReader(c.text))
	var root, second yamlnode.Node
	if err := decoder.Decode(&root); errors.Is(err, io.EOF) {
		return document{}, false
	} else if err != nil {
		l.syntax(c, err)
		return document{}, false
	}
	if err := decoder.Decode(&second); !errors.Is(err, io.EOF) {
		l.add(c.line, "more text after the end of the document: start each document with ---")
		return document{}, false
	}
	if expanded(&root, map[*yamlnode.Node]int{}) > maxExpanded {
		l.add(c.line, "%v", errTooLong)
		return document{}, false
	}
	shift(&root, c.line-1)
	body := root.Content[0]
	if body.Tag == "!!null" {
		return document{}, false
	}
	d := document{line: body.Line, apiLine: body.Line, kindLine: body.Line, node: body, text: c.text}
	if body.Kind != yamlnode.MappingNode {
		l.add(body.Line, "a document must hold fields such as apiVersion and kind")
		return document{}, false
	}
	found := len(l.problems)
	l.repeated(body, "")
	converted, err := yaml.YAMLToJSON(c.text)
	if err == nil {
		numbers := json.NewDecoder(bytes.NewReader(converted))
		numbers.UseNumber()
		err = numbers.Decode(&d.value)
	}
	if err != nil && len(l.problems) == found {
		l.syntax(c, err)
	}
	if err != nil {
		return document{}, false
	}
	return d, l.typeMeta(&d)
}

// typeMeta finds out what kind of document it is.
func (l *loader) typeMeta(d *document) bool {
	for name, target := range map[string]*string{"apiVersion": &d.apiVersion, "kind": &d.kind} {
		*target, _ = d.value[name].(string)
	}
	d.apiLine, d.kindLine = lineOf(d.node, "apiVersion"), lineOf(d.node, "kind")
	if d.apiVersion == "" || d.kind == "" {
		l.add(d.line, "a document needs apiVersion and kind, such as %s and %s", APIVersion, clusterKind)
		return false
	}
	return true
}

// repeated records keys that occur twice in one mapping, anywhere below node.
func (l *loader) repeated(node *yamlnode.Node, path string) {
	first := map[string]int{}
	for i, child := range node.Content {
		if node.Kind != yamlnode.MappingNode {
			l.repeated(child, fmt.Sprintf("%s[%d]", path, i))
			continue
		}
		if i%2 == 1 {
			l.repeated(child, join(path, node.Content[i-1].Value))
			continue
		}
		if line, twice := first[child.Value]; twice && child.Value != "<<" {
			l.addMinor(child.Line, "the last one counts", "field %s is there twice; the first is at line %d", join(path, child.Value), line)
		} else {
			first[child.Value] = child.Line
		}
	}
}

var yamlErrorLine = newPattern(`^(?:error converting YAML to JSON: )?(?:yaml: )*(?:unmarshal errors:\n\s*)?(?:line (\d+): )?`)

// syntax records an error of a YAML parser, whose lines count from the start of the document.
func (l *loader) syntax(c chunk, err error) {
	text, line := err.Error(), c.line
	if m := yamlErrorLine().FindStringSubmatch(text); m != nil {
		text = text[len(m[0]):]
		if n, err := strconv.Atoi(m[1]); err == nil {
			line = c.line + n - 1
		}
	}
	// The parser counts these from zero, the others from one.
	if strings.HasPrefix(text, "did not find expected") {
		line++
	}
	text, _, _ = strings.Cut(text, "\n")
	l.add(line, "not valid YAML: %s", text)
}

func shift(node *yamlnode.Node, lines int) {
	node.Line += lines
	for _, child := range node.Content {
		shift(child, lines)
	}
}

func join(path, field string) string {
	if path == "" {
		return field
	}
	return path + "." + field
}

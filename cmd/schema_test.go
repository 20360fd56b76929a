package cmd

import (
	"bytes"
	"encoding/json"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"k8s.io/kube-openapi/pkg/validation/spec"
	"k8s.io/kube-openapi/pkg/validation/strfmt"
	"k8s.io/kube-openapi/pkg/validation/validate"
	"sigs.k8s.io/yaml"

	"github.com/kubewright/kubewright/cause"
)

// readSchema is docs/events.schema.json.
func readSchema(t *testing.T) *spec.Schema {
	t.Helper()
	data, err := os.ReadFile("../docs/events.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	schema := &spec.Schema{}
	if err := json.Unmarshal(data, schema); err != nil {
		t.Fatal(err)
	}
	return schema
}

// printedFor runs a command, and returns what it prints for machines, with the exit code.
func printedFor(t *testing.T, m *fakeMachine, args ...string) (values []any, code int) {
	t.Helper()
	code, stdout, stderr := m.run(args...)
	form := json.Unmarshal
	if slices.Contains(args, "yaml") {
		form = func(data []byte, v any) error { return yaml.Unmarshal(data, v) }
	}
	parts := strings.Split(strings.TrimSpace(stdout), "\n")
	if strings.HasPrefix(stdout, "---\n") {
		parts = strings.Split("\n"+strings.TrimSuffix(stdout, "\n"), "\n---\n")[1:]
	} else if slices.Contains(args, "history") {
		parts = []string{stdout}
	}
	for _, part := range parts {
		var v any
		if err := form([]byte(part), &v); err != nil {
			t.Fatalf("%s: %v in %q\n%s", strings.Join(args, " "), err, part, stderr)
		}
		values = append(values, v)
	}
	return values, code
}

// TestSchema: what commands print for machines is what docs/events.schema.json says, each kind of it at least once, and the last
// event of a failed run has the exit code of the process.
func TestSchema(t *testing.T) {
	t.Parallel()
	schema := readSchema(t)
	validator := validate.NewSchemaValidator(schema, nil, "", strfmt.Default)
	kinds := map[string]*validate.SchemaValidator{}
	for i := range schema.OneOf {
		kinds[schema.OneOf[i].Title] = validate.NewSchemaValidator(&schema.OneOf[i], nil, "", strfmt.Default)
	}
	seen := map[string]bool{}
	check := func(m *fakeMachine, args ...string) {
		t.Helper()
		values, code := printedFor(t, m, args...)
		for _, v := range values {
			if r := validator.Validate(v); !r.IsValid() {
				text, _ := json.Marshal(v)
				t.Errorf("%s: %v\n%s", strings.Join(args, " "), r.AsError(), text)
			}
			for title, kind := range kinds {
				seen[title] = seen[title] || kind.Validate(v).IsValid()
			}
		}
		last, _ := values[len(values)-1].(map[string]any)
		if code != 0 && (last["event"] != "error" || last["exitCode"] != float64(code)) {
			t.Errorf("%s: exit code %d, and the last event is %v", strings.Join(args, " "), code, last)
		}
	}
	m, args := newUnborn(t)
	for _, form := range []string{"json", "yaml"} {
		check(m, append(args, "-o", form, "--dry-run")...)
		check(m, append(args, "-o", form)...)
		check(m, "history", "-o", form)
		check(m, "history", "-o", form, "last")
		check(m, "token", "generate", "-o", form)
		check(m, "init", "phase", "addon", "coredns", "--print-manifest", "--config", args[2], "-o", form)
		check(m, "init", "--config", "/none", "-o", form)
		check(m, "certs", "renew", "all", "--no-restart", "-o", form)
		check(m, "rollback", "-o", form)
		check(m, "certs", "certificate-key", "-o", form)
		check(m, "config", "validate", "--config", args[2], "-o", form)
		check(m, "config", "images", "pull", "--cri-socket", "unix:///run/x.sock", "-o", form)
		check(m, "reset", "-o", form, "--dry-run")
	}
	check(m, "token", "list", "--nonsense", "-o", "json")
	check(m, "token", "delete", "fedcba", "-o", "json", "--kubeconfig", "/none")
	deleted := map[string]any{} // there is no API server here that the token commands reach
	if data, err := json.Marshal(tokenDeleted{ID: "fedcba", Deleted: true}); err != nil || json.Unmarshal(data, &deleted) != nil {
		t.Fatal(err)
	}
	seen["token deleted"] = kinds["token deleted"].Validate(deleted).IsValid()
	check(m, "reset", "-o", "json", "--force")
	for title := range kinds {
		if !seen[title] {
			t.Errorf("no command has printed %q", title)
		}
	}
}

// TestSchemaIsWhole: the schema has all fields of events, and all causes with their exit codes.
func TestSchemaIsWhole(t *testing.T) {
	schema := readSchema(t)
	fields := map[string]bool{}
	for _, kind := range schema.OneOf {
		for name := range kind.Properties {
			fields[name] = true
		}
	}
	for i := range reflect.TypeFor[event]().NumField() {
		name, _, _ := strings.Cut(reflect.TypeFor[event]().Field(i).Tag.Get("json"), ",")
		if !fields[name] {
			t.Errorf("the schema does not know the field %s of events", name)
		}
	}
	at := slices.IndexFunc(schema.OneOf, func(s spec.Schema) bool { return s.Title == "error" })
	var causes []any
	for _, c := range cause.All() {
		causes = append(causes, string(c))
	}
	if !reflect.DeepEqual(schema.OneOf[at].Properties["cause"].Enum, causes) {
		t.Errorf("the schema has the causes %v, not %v", schema.OneOf[at].Properties["cause"].Enum, causes)
	}
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cause.All() {
		row := "| " + string('0'+rune(c.Exit())) + " | `" + string(c) + "` |"
		if !bytes.Contains(readme, []byte(row)) {
			t.Errorf("README.md has no row %q", row)
		}
	}
}

package cmd

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// referenceDir holds one file for each command below the program, made by TestReference -update.
const referenceDir = "../docs/reference"

// TestReference: docs/reference says what the help says.
func TestReference(t *testing.T) {
	want := reference(newRoot(&Env{}, ""))
	if *update {
		if err := os.RemoveAll(referenceDir); err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(referenceDir, 0o755); err != nil {
			t.Fatal(err)
		}
		for name, text := range want {
			if err := os.WriteFile(filepath.Join(referenceDir, name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	have, err := filepath.Glob(filepath.Join(referenceDir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range have {
		if _, ok := want[filepath.Base(path)]; !ok {
			t.Errorf("%s is of a command that is not there", path)
		}
	}
	for name, text := range want {
		if data, err := os.ReadFile(filepath.Join(referenceDir, name)); err != nil || !bytes.Equal(data, []byte(text)) {
			t.Errorf("%s does not say what the help says (%v); rewrite it: go test ./cmd -run TestReference -update", name, err)
		}
	}
}

// reference is the text of each file by its name.
func reference(root *cobra.Command) map[string]string {
	var index strings.Builder
	index.WriteString("# The commands of kubewright\n\nThese pages are made of the help, by `go test ./cmd -run TestReference -update`.\n\n")
	index.WriteString("| Command | |\n| --- | --- |\n")
	files := map[string]string{}
	for _, c := range root.Commands() {
		if c.Hidden || c.Name() == "help" {
			continue
		}
		var page strings.Builder
		describe(&page, c, "#")
		files[c.Name()+".md"] = page.String()
		fmt.Fprintf(&index, "| [%s](%[1]s.md) | %s |\n", c.Name(), c.Short)
	}
	fmt.Fprintf(&index, "\nEvery command has these flags:\n\n```\n%s```\n", root.PersistentFlags().FlagUsages())
	files["README.md"] = index.String()
	return files
}

// describe writes a section about a command, and one about each below it.
func describe(w *strings.Builder, c *cobra.Command, level string) {
	fmt.Fprintf(w, "%s %s\n\n", level, c.CommandPath())
	about := c.Long
	if about == "" {
		about = c.Short
	}
	fmt.Fprintf(w, "```\n%s\n", strings.TrimSpace(about))
	if c.Runnable() {
		fmt.Fprintf(w, "\n%s\n", c.UseLine())
	}
	if len(c.Aliases) > 0 {
		fmt.Fprintf(w, "\nAlso: %s\n", strings.Join(c.Aliases, ", "))
	}
	if c.Example != "" {
		fmt.Fprintf(w, "\n%s\n", c.Example)
	}
	c.InitDefaultHelpFlag()
	if flags := c.LocalFlags().FlagUsages(); strings.Count(flags, "\n") > 1 { // beside --help
		fmt.Fprintf(w, "\n%s", flags)
	}
	w.WriteString("```\n")
	for _, sub := range c.Commands() {
		if !sub.Hidden {
			w.WriteString("\n")
			describe(w, sub, "#"+strings.Repeat("#", min(strings.Count(sub.CommandPath(), " ")-1, 3)))
		}
	}
}

// TestReferenceNamesAll: every command that the help names has a section.
func TestReferenceNamesAll(t *testing.T) {
	files := reference(newRoot(&Env{}, ""))
	for path := range walkHelp(t, func(path []string) string { return helpOf(t, Kubewright, path) }) {
		words := strings.Fields(path)
		if len(words) == 0 || words[0] == "help" || slices.Contains(words, "help") {
			continue
		}
		if heading := " kubewright " + path + "\n"; !strings.Contains(files[words[0]+".md"], heading) {
			t.Errorf("there is no section about %s", path)
		}
	}
}

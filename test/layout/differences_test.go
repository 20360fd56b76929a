package layout

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const scripts = "test/script/testdata"

// testName is how a row names its tests: `TestX`, `TestX/part`, `package.TestX` where several packages have one of that name, or
// `file.txtar` for a script.
var testName = regexp.MustCompile("^`(?:([a-z0-9/]+)\\.)?(?:(Test\\w+)(?:/([^`]+))?|([a-z-]+\\.txtar))`$")

// TestDifferencesHaveTests: every row of docs/differences.md names the tests that fail when it is not true any more, and they are there.
func TestDifferencesHaveTests(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "docs/differences.md"))
	if err != nil {
		t.Fatal(err)
	}
	tests := testFunctions(t)
	cells, rows := 0, 0
	for line := range strings.Lines(string(text)) {
		row := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), " | ")
		last := strings.TrimSpace(row[len(row)-1])
		switch {
		case !strings.HasPrefix(line, "|"):
			cells = 0
		case cells == 0:
			if cells = len(row); last != "Test" {
				t.Errorf("the last column is %q, not Test: %s", last, line)
			}
		case strings.HasPrefix(line, "| ---"):
		case len(row) != cells:
			t.Errorf("it has %d cells, not %d: %s", len(row), cells, line)
		default:
			rows++
			for name := range strings.SplitSeq(last, ", ") {
				if why := missingTest(t, tests, name); why != "" {
					t.Errorf("%s %s: %s", name, why, line)
				}
			}
		}
	}
	if rows < 100 {
		t.Errorf("only %d rows were found", rows)
	}
}

// TestNamesOfTests: a name that is wrong in any way is told.
func TestNamesOfTests(t *testing.T) {
	tests := testFunctions(t)
	for name, want := range map[string]string{
		"": "names no test", "later": "names no test", "TestFiles": "names no test", "`TestNowhere`": "is not there", "`TestFiles`": "",
		"`test/layout.TestFiles`": "", "`cmd.TestFiles`": "is not there", "`TestDifferencesAreWrittenDown`": "write which package",
		"`TestFiles/no such part`": "has no such part", "`test/e2e.TestInit/workload`": "", "`help.txtar`": "", "`nothing.txtar`": "is no script",
	} {
		if got := missingTest(t, tests, name); (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

// missingTest says what is wrong with the name of a test in the table.
func missingTest(t *testing.T, tests map[string][]string, name string) string {
	t.Helper()
	parts := testName.FindStringSubmatch(name)
	switch {
	case parts == nil:
		return "names no test"
	case parts[4] != "":
		if _, err := os.Stat(filepath.Join(root, scripts, parts[4])); err != nil {
			return "is no script"
		}
		return ""
	}
	files := slices.DeleteFunc(slices.Clone(tests[parts[2]]), func(file string) bool {
		return parts[1] != "" && filepath.Dir(file) != parts[1]
	})
	switch {
	case len(files) == 0:
		return "is not there"
	case len(files) > 1:
		return "is in " + strings.Join(files, " and ") + ": write which package it is of"
	case parts[3] == "":
		return ""
	}
	text, err := os.ReadFile(filepath.Join(root, files[0]))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), `"`+parts[3]+`"`) {
		return "has no such part"
	}
	return ""
}

var testFunction = regexp.MustCompile(`(?m)^func (Test\w+)\(t \*testing\.T\)`)

// testFunctions are the files in which each test is, by its name.
func testFunctions(t *testing.T) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == ".git" || d.Name() == "testdata") {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		file, err := filepath.Rel(root, path)
		for _, match := range testFunction.FindAllStringSubmatch(string(text), -1) {
			found[match[1]] = append(found[match[1]], file)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

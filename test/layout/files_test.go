package layout

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const longest = 400

// root is the top of the tree, seen from this package.
const root = "../.."

// No Go file is longer than a reader can hold, and every package says what it is for.
func TestFiles(t *testing.T) {
	about := map[string]bool{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == ".git" || d.Name() == "testdata") {
			return filepath.SkipDir
		}
		if d.IsDir() || filepath.Ext(path) != ".go" {
			return nil
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if n := bytes.Count(data, []byte("\n")); n > longest {
			t.Errorf("%s has %d lines; more than %d is too long for one file", path, n, longest)
		}
		dir := filepath.Dir(path)
		about[dir] = about[dir] || hasPackageComment(string(data))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for dir, ok := range about {
		if !ok {
			t.Errorf("the package in %s has no package comment", dir)
		}
	}
}

func hasPackageComment(src string) bool {
	before, _, found := strings.Cut("\n"+src, "\npackage ")
	if !found {
		return false
	}
	lines := strings.Split(strings.TrimRight(before, " "), "\n")
	return strings.HasPrefix(lines[len(lines)-1], "//") || strings.HasSuffix(lines[len(lines)-1], "*/")
}

package network

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestPaths(t *testing.T) {
	for _, p := range CNIPaths() {
		if !filepath.IsAbs(p) || filepath.Clean(p) != p || strings.HasPrefix(p, "/opt/cni") || strings.Count(p, "/") < 2 {
			t.Errorf("%s is no path to remove", p)
		}
	}
	for _, m := range CNIMounts() {
		if !slices.ContainsFunc(CNIPaths(), func(p string) bool { return strings.HasPrefix(m, p+"/") }) {
			t.Errorf("%s is below none of the paths", m)
		}
	}
}

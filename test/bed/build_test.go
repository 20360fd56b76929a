package bed

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// pretended is a builder over a checkout with our components and a cache that has all parts, each an empty file, but no others.
func pretended(t *testing.T) (*Builder, []part, *bytes.Buffer) {
	t.Helper()
	repo, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	log := &bytes.Buffer{}
	b := &Builder{Cache: Cache{Dir: t.TempDir()}, Repo: repo, Log: log, Self: "/bed"}
	parts, err := b.parts()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range parts {
		if err := os.WriteFile(p.path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return b, parts, log
}

// Whatever takes long is announced: with all announced parts there, nothing is made.
func TestBuildMakesWhatItAnnounces(t *testing.T) {
	b, parts, log := pretended(t)
	if err := b.announce(); err != nil {
		t.Fatal(err)
	}
	kit, err := b.kit()
	if err != nil {
		t.Fatal(err)
	}
	if log.Len() > 0 {
		t.Errorf("all parts are there, and yet:\n%s", log)
	}
	if kit.Rootfs != parts[0].path || kit.Template != parts[len(parts)-1].path {
		t.Errorf("the kit has %s and %s, which are not what was announced", kit.Rootfs, kit.Template)
	}
}

func TestAnnounce(t *testing.T) {
	b, parts, log := pretended(t)
	if err := os.Remove(parts[len(parts)-1].path); err != nil {
		t.Fatal(err)
	}
	if err := b.announce(); err != nil {
		t.Fatal(err)
	}
	if want := "1 of 11 parts are not in"; !strings.Contains(log.String(), want) || !strings.Contains(log.String(), "about 24 s") {
		t.Errorf("without the images: %q; want %q and 24 s", log, want)
	}
	log.Reset()
	b.missing = 0
	for _, p := range parts[:len(parts)-1] {
		if err := os.Remove(p.path); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.announce(); err != nil {
		t.Fatal(err)
	}
	if want := "11 of 11 parts are not in"; !strings.Contains(log.String(), want) || !strings.Contains(log.String(), "about 16 min") {
		t.Errorf("with nothing there: %q; want %q and 16 min", log, want)
	}
}

// A copy of a cache is as good as the first one.
func TestKeysDoNotKnowTheCache(t *testing.T) {
	names := func() (names []string) {
		_, parts, _ := pretended(t)
		for _, p := range parts {
			names = append(names, filepath.Base(p.path))
		}
		return names
	}
	if a, b := strings.Join(names(), " "), strings.Join(names(), " "); a != b {
		t.Errorf("in one cache:     %s\nin another cache: %s", a, b)
	}
}

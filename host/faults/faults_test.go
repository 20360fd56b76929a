package faults

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	for text, want := range map[string]Point{
		"kill@137":              {N: 137},
		"kill@1+80ms":           {N: 1, After: 80 * time.Millisecond},
		"kill@rename:/etc/a":    {Op: "rename", Path: "/etc/a"},
		"kill@write:/a+b+1s":    {Op: "write", Path: "/a+b", After: time.Second},
		"kill@append:/a+b":      {Op: "append", Path: "/a+b"},
		"kill@mkdir:/a:b+1.5ms": {Op: "mkdir", Path: "/a:b", After: 1500 * time.Microsecond},
	} {
		if got, err := Parse(text); err != nil || got != want || got.String() != text {
			t.Errorf("%s: %+v (%s), %v", text, got, got, err)
		}
	}
	for _, text := range []string{"", "137", "kill@", "kill@0", "kill@-1", "kill@rename", "kill@:/a", "kill@rename:a", "kill@5+", "kill@5+-1s", "stop@5"} {
		if got, err := Parse(text); err == nil || !strings.Contains(err.Error(), At) {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
}

// words are the lines of a log without their times.
func words(t *testing.T, path string) (lines []string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		f := strings.Fields(line)
		if _, err := time.Parse(time.RFC3339Nano, f[1]); err != nil {
			t.Error(err)
		}
		lines = append(lines, strings.Join(slices.Delete(f, 1, 2), " "))
	}
	return lines
}

func TestHook(t *testing.T) {
	for at, want := range map[string][]string{
		"":                  {"1 create /a", "2 rename /a", "3 rename /a"},
		"kill@2":            {"1 create /a", "2 rename /a", "2 killed"},
		"kill@rename:/a":    {"1 create /a", "2 rename /a", "2 killed"},
		"kill@3+1ns":        {"1 create /a", "2 rename /a", "3 rename /a", "3 killed"},
		"kill@4":            {"1 create /a", "2 rename /a", "3 rename /a"},
		"kill@rename:/none": {"1 create /a", "2 rename /a", "3 rename /a"},
	} {
		t.Run(at, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "log")
			h, err := FromEnvironment(func(name string) string { return map[string]string{At: at, Log: path}[name] })
			if err != nil {
				t.Fatal(err)
			}
			killed := make(chan bool, 1)
			h.Kill = func() { killed <- true }
			for _, op := range []string{"create", "rename", "rename"} {
				if err := h.Fault(op, "/a"); err != nil {
					t.Error(err)
				}
				if len(killed) > 0 {
					break
				}
			}
			if strings.Contains(want[len(want)-1], "killed") {
				<-killed
			} else if len(killed) > 0 {
				t.Error("it was killed")
			}
			if got := words(t, path); !slices.Equal(got, want) {
				t.Errorf("log: %q, want %q", got, want)
			}
		})
	}
}

func TestFromEnvironment(t *testing.T) {
	if h, err := FromEnvironment(func(string) string { return "" }); h != nil || err != nil {
		t.Errorf("without a word: %v, %v", h, err)
	}
	for name, value := range map[string]string{At: "kill@never", Log: "/nowhere/log"} {
		get := func(n string) string { return map[string]string{name: value}[n] }
		if h, err := FromEnvironment(get); err == nil {
			t.Errorf("%s=%s: %v", name, value, h)
		}
	}
}

package bench

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// Save writes report.txt, report.json, timeline.svg and results.json, which has the medians alone, into a folder.
func (r *Report) Save(dir string) error {
	whole, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("cannot save the report: %w", err)
	}
	results, err := json.MarshalIndent(r.Results(), "", "  ")
	if err != nil {
		return fmt.Errorf("cannot save the results: %w", err)
	}
	picture, err := r.Picture()
	if err != nil {
		return err
	}
	return save(dir, map[string][]byte{
		"report.txt": []byte(r.Text()), "report.json": append(whole, '\n'), "results.json": append(results, '\n'), "timeline.svg": picture,
	})
}

// save writes files into a folder, by their names.
func save(dir string, files map[string][]byte) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("cannot save the report: %w", err)
	}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			return fmt.Errorf("cannot save the report: %w", err)
		}
	}
	return nil
}

// MachineKind says what sort of machine this is: its processors and memory.
func MachineKind() string {
	model, memory := "unknown processor", "unknown memory"
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		model = valueOf(string(text), "model name", model)
	}
	if text, err := os.ReadFile("/proc/meminfo"); err == nil {
		memory = valueOf(string(text), "MemTotal", memory)
	}
	return fmt.Sprintf("%d x %s, %s", runtime.NumCPU(), model, memory)
}

// valueOf is the value of the first line "key : value".
func valueOf(text, key, otherwise string) string {
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == key {
			return strings.TrimSpace(value)
		}
	}
	return otherwise
}

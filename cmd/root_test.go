package cmd

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"k8s.io/klog/v2"
)

// TestQuiet: no library writes to stderr beside us.
func TestQuiet(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	before := os.Stderr
	os.Stderr = file
	quiet()
	klog.FromContext(t.Context()).Error(errors.New("context canceled"), "Unexpected error")
	klog.ErrorS(errors.New("context canceled"), "Unexpected error")
	klog.Flush()
	os.Stderr = before
	klog.ClearLogger()
	if said, err := os.ReadFile(file.Name()); err != nil || len(said) > 0 {
		t.Errorf("a library wrote %q (%v)", said, err)
	}
}

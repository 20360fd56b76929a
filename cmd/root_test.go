package cmd

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"k8s.io/klog/v2"
)

// libraryErrors is set where this test binary plays a program in which libraries have errors to log.
const libraryErrors = "KUBEWRIGHT_TEST_LIBRARY_ERRORS"

// TestQuiet: no library writes to stderr beside us. It looks at a process of its own: both stderr and klog's logger belong
// to all of a process, and watches of other tests that have just ended still use them.
func TestQuiet(t *testing.T) {
	if how := os.Getenv(libraryErrors); how != "" {
		if how == "quiet" {
			quiet()
		}
		klog.FromContext(t.Context()).Error(errors.New("context canceled"), "Unexpected error")
		klog.ErrorS(errors.New("context canceled"), "Unexpected error")
		klog.Flush()
		return
	}
	for _, how := range []string{"loud", "quiet"} {
		child := exec.Command(os.Args[0], "-test.run=^TestQuiet$", "-test.count=1")
		child.Env = append(os.Environ(), libraryErrors+"="+how)
		said := &strings.Builder{}
		child.Stderr = said
		if err := child.Run(); err != nil {
			t.Fatalf("%s: %v: %s", how, err, said)
		}
		if (said.Len() > 0) != (how == "loud") {
			t.Errorf("%s: libraries wrote %q", how, said)
		}
	}
}

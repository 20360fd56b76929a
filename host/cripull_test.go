package host

import (
	"errors"
	"strings"
	"testing"
)

// TestPullFails: a runtime's words are explained, and those that another try does not change are marked.
func TestPullFails(t *testing.T) {
	s := &server{present: map[string]bool{}, pullFails: map[string]string{
		"full":   `failed to extract layer: write /var/lib/containerd/x: no space left on device`,
		"denied": `failed to pull and unpack image: failed to authorize: pull access denied, repository does not exist or may require authorization`,
		"busy":   `failed to do request: dial tcp: i/o timeout`,
	}}
	_, r := open(t, s)
	for image, c := range map[string]struct {
		lasting bool
		want    []string
	}{
		"full":   {true, []string{"cannot pull image full: failed to extract layer", "\nthe file system of /run has ", " free: make room on it, which has the images"}},
		"denied": {true, []string{"cannot pull image denied: ", "\nthe registry refuses it: is the name right"}},
		"none":   {true, []string{"cannot pull image none: no such image\nthe registry has no such image"}},
		"busy":   {false, []string{"cannot pull image busy: failed to do request"}},
	} {
		err := r.PullImage(t.Context(), image)
		for _, want := range c.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: no %q in: %v", image, want, err)
			}
		}
		if errors.As(err, new(*LastingError)) != c.lasting {
			t.Errorf("%s: lasting is %t: %v", image, !c.lasting, err)
		}
	}
}

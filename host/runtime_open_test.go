package host

import (
	"net"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestOpenRuntimeErrors(t *testing.T) {
	h := shortHost(t)
	serve(t, h, "/run/other.sock", nil)
	l, err := net.Listen("unix", filepath.Join(h.Root, "/run/dead.sock"))
	must(t, err)
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	l.Close()
	for socket, want := range map[string]string{
		"tcp://1.2.3.4:5":       `cannot use the container runtime socket "tcp://1.2.3.4:5": the scheme is "tcp"`,
		"unix://run/x.sock":     "no absolute path",
		"":                      "no absolute path",
		"unix:///run/none.sock": "cannot reach the container runtime at unix:///run/none.sock: there is no such socket\n",
		"unix:///run/dead.sock": "nothing listens at the socket\n",
		"/run/other.sock":       "does not serve the CRI v1 API\nis it a container runtime",
	} {
		if _, err := h.OpenRuntime(t.Context(), socket); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v\nwant: %s", socket, err, want)
		}
	}
	must(t, h.MkdirAll("/etc/containerd", 0o755))
	for config, disabled := range map[string]bool{
		`disabled_plugins = ["cri"]`: true, "version = 2\n  disabled_plugins = ['x', \"io.containerd.grpc.v1.cri\"]\n": true,
		`#disabled_plugins = ["cri"]`: false, `disabled_plugins = []`: false, "disabled_plugins = ['other.cri2']": false,
	} {
		must(t, h.WriteFile(containerdConfig, FileSpec{Data: []byte(config), Mode: 0o644}))
		_, err := h.OpenRuntime(t.Context(), "/run/other.sock")
		if err == nil || strings.Contains(err.Error(), "take it out") != disabled {
			t.Errorf("%q: %v", config, err)
		}
	}
}

func TestDetectRuntime(t *testing.T) {
	h := shortHost(t)
	detect := func(want string) {
		t.Helper()
		if got, err := h.DetectRuntime(); got != want || err != nil {
			t.Errorf("detected %q, %v; want %q", got, err, want)
		}
	}
	detect(containerdSocket)
	must(t, h.MkdirAll("/run/containerd", 0o755))
	must(t, h.MkdirAll("/var", 0o755))
	must(t, h.Symlink("../run", "/var/run"))
	must(t, h.AppendFile("/run/containerd/containerd.sock", nil, 0o600)) // no socket
	serve(t, h, "/run/crio/crio.sock", nil)
	detect(crioSocket)
	serve(t, h, "/run/cri-dockerd.sock", nil)
	_, err := h.DetectRuntime()
	if err == nil || !strings.Contains(err.Error(), crioSocket+", "+criDockerdSocket+"\nset nodeRegistration.criSocket") {
		t.Errorf("two runtimes: %v", err)
	}
}

func TestParseLog(t *testing.T) {
	got := parseLog("T stdout P a \nT stderr F e\nT stdout P b\nT stdout F c\nT stdout F:x \nnot a log line\nT stdout F   indented\nT stderr P torn")
	want := []string{"e", "a bc", "", "not a log line", "  indented", "torn"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

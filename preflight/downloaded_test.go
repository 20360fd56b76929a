package preflight

import (
	"io/fs"
	"slices"
	"testing"
)

// TestDownloadedFiles: what a join has downloaded counts as there, although it is not written yet.
func TestDownloadedFiles(t *testing.T) {
	for name, there := range map[string]bool{"downloaded": true, "nowhere": false} {
		l := newLab(t, external)
		l.answers(map[string]string{"https://10.0.0.8:2379": "3.6.6", "https://10.0.0.9:2379": "3.6.6"})
		l.m.Downloaded = func(path string) ([]byte, error) {
			if there && path == "/e/ca.crt" {
				return []byte(joinCA), nil
			}
			return nil, fs.ErrNotExist
		}
		j := Joining{ControlPlane: true, Endpoint: "10.9.0.1:6443", CA: []byte(joinCA), CACertPath: "/etc/kubernetes/pki/ca.crt"}
		report := Run(t.Context(), Join(l.c, l.m, l.resume, j), nil)
		missing := slices.ContainsFunc(report.Errors, func(f Finding) bool { return f.Check == "ExternalEtcdClientCertificates" })
		if missing == there {
			t.Errorf("%s: %v", name, report.Errors)
		}
	}
}

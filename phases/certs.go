package phases

import (
	"context"
	"path/filepath"
	"strings"

	"github.com/kubewright/kubewright/cause"
	"github.com/kubewright/kubewright/config"
	"github.com/kubewright/kubewright/pki"
	"github.com/kubewright/kubewright/plan"
)

// certs makes the PKI: one part for each row of the certificate table.
func certs() Phase {
	ph := Phase{Name: "certs", About: "Generate the certificates and keys", First: certDirs}
	for _, row := range pki.Certificates() {
		part := Phase{Name: row.Name, About: row.About, Flags: certFlags(row.Name)}
		ph.Sub = append(ph.Sub, withRow(part, row))
	}
	return ph
}

// withRow makes the files of a row the steps of a part.
func withRow(part Phase, row pki.Row) Phase {
	steps := func(_ context.Context, f *Facts) ([]plan.Step, error) { return pkiSteps(f, row.Name) }
	if row.First {
		part.First = steps
	} else {
		part.Steps = steps
	}
	return part
}

func certFlags(name string) []string {
	flags := []string{"cert-dir", "config", "dry-run", "kubernetes-version"}
	if name == "apiserver" {
		flags = append(flags, "apiserver-advertise-address", "apiserver-cert-extra-sans", "control-plane-endpoint",
			"service-cidr", "service-dns-domain")
	}
	return flags
}

func certDirs(_ context.Context, f *Facts) ([]plan.Step, error) {
	return []plan.Step{
		plan.File{Path: "/etc/kubernetes", Dir: true, Mode: 0o755},
		plan.File{Path: f.Config.Cluster.CertificatesDir, Dir: true, Mode: 0o755},
	}, nil
}

// pkiSteps are the files of one row, each below its directory.
func pkiSteps(f *Facts, row string) ([]plan.Step, error) {
	files, err := f.PKI.Files(row)
	if f.tolerates(err) {
		return unreadable(err, f.PKI.Paths(row)...), nil
	}
	if err != nil {
		return nil, cause.Preflight.Mark(err)
	}
	var steps []plan.Step
	for _, file := range files {
		dir := filepath.Dir(file.Path)
		if strings.HasPrefix(dir+"/", config.KubeletDir+"/") {
			steps = append(steps, plan.File{Path: config.KubeletDir, Dir: true, Mode: 0o700})
		}
		steps = append(steps, plan.File{Path: dir, Dir: true, Mode: 0o755}, fileStep(file))
	}
	return steps, nil
}

// unreadable are files of which a dry run can't tell what they should be, because it may not read what is there.
func unreadable(err error, paths ...string) []plan.Step {
	var steps []plan.Step
	for _, path := range paths {
		steps = append(steps, plan.File{Path: path, Unknown: plan.Unreadable(err)})
	}
	return steps
}

func fileStep(f pki.File) plan.File {
	return plan.File{Path: f.Path, Mode: f.Mode, Data: f.Data, Secret: f.Secret, Link: f.Link, Why: f.Why}
}

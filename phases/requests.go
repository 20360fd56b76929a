package phases

import (
	"context"
	"path/filepath"

	"github.com/kubewright/kubewright/pki"
	"github.com/kubewright/kubewright/plan"
)

// RequestsName is what runs of `certs generate-csr` are called in the journals.
const RequestsName = "generate-csr"

// Requests is the list of `kubewright certs generate-csr`: keys, and requests to sign certificates for them.
func Requests() Command {
	rows := func(f *Facts, kubeconfigs bool) []pki.Row {
		certs, confs := f.PKI.Requestable()
		if kubeconfigs {
			return confs
		}
		return certs
	}
	part := func(name, about string, kubeconfigs bool) Phase {
		return Phase{Name: name, About: about, Steps: func(_ context.Context, f *Facts) ([]plan.Step, error) {
			var steps []plan.Step
			for _, row := range rows(f, kubeconfigs) {
				files, err := f.PKI.Request(row)
				if err != nil {
					return nil, err
				}
				for _, file := range files {
					steps = append(steps, plan.File{Path: filepath.Dir(file.Path), Dir: true, Mode: 0o755}, fileStep(file))
				}
			}
			return steps, nil
		}}
	}
	return Command{Name: RequestsName, Phases: []Phase{
		part("certs", "Make the keys and requests of certificates", false),
		part("kubeconfig", "Make kubeconfigs without certificates, and their requests", true),
	}}
}

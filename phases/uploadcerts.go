package phases

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kubewright/kubewright/manifests"
	"github.com/kubewright/kubewright/plan"
)

// uploadCerts stores the shared keys, encrypted, for control-plane nodes that join within two hours. Only when asked to.
func uploadCerts() Phase {
	return Phase{
		Name: "upload-certs", About: "Store the shared certificates in the Secret kubeadm-certs, encrypted",
		Flags: []string{"certificate-key", "config", "dry-run", "kubeconfig", "skip-certificate-key-print", "upload-certs"},
		Steps: func(_ context.Context, f *Facts) ([]plan.Step, error) {
			if !f.UploadCerts {
				return nil, nil
			}
			if missing := f.PKI.MissingToUpload(); missing != nil {
				return nil, fmt.Errorf("cannot upload certificates: other control-plane nodes need these files, and they are not on this machine:\n"+
					"  %s\nleave --upload-certs out and bring the other nodes what they need yourself", strings.Join(missing, "\n  "))
			}
			secret, others, err := manifests.CertsSecret(f.Config, f.PKI.Data, f.CertificateKey, f.Now, f.Rand)
			if err != nil {
				return nil, err
			}
			kept := func(ctx context.Context, api plan.API) (bool, error) { return certsKept(ctx, api, f, secret) }
			var steps []plan.Step
			for _, o := range append(others, secret) {
				step := plan.Object{Obj: o}
				if _, ok := o.(*corev1.Secret); ok {
					step.Unless = kept
				}
				if o == runtime.Object(secret) {
					step.Fill = func(ctx context.Context, api plan.API) error { return own(ctx, api, secret, others) }
				}
				steps = append(steps, step)
			}
			return steps, nil
		},
	}
}

// own makes the short-lived token, the last of others, the owner of the Secret: when it expires, both go.
func own(ctx context.Context, api plan.API, secret *corev1.Secret, others []runtime.Object) error {
	live, err := api.Live(ctx, others[len(others)-1])
	if err != nil {
		return err
	}
	if live == nil {
		return fmt.Errorf("the token that is to own it is not there")
	}
	m, err := meta.Accessor(live)
	if err != nil {
		return err
	}
	manifests.SetCertsOwner(secret, m.GetName(), m.GetUID())
	return nil
}

// certsKept says that the Secret is there and good: readable with the key, if the user chose one. Every encryption differs,
// so bytes can't be compared.
func certsKept(ctx context.Context, api plan.API, f *Facts, secret *corev1.Secret) (bool, error) {
	live, err := api.Live(ctx, secret)
	if err != nil || live == nil {
		return false, err
	}
	if !f.CertificateKeyGiven {
		return f.KeepCerts, nil
	}
	have, err := asSecret(live)
	if err != nil {
		return false, err
	}
	return manifests.CertsMatch(have, f.Config, f.PKI.Data, f.CertificateKey), nil
}

func asSecret(o runtime.Object) (*corev1.Secret, error) {
	switch o := o.(type) {
	case *corev1.Secret:
		return o, nil
	case *unstructured.Unstructured:
		s := &corev1.Secret{}
		return s, runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, s)
	}
	return nil, fmt.Errorf("cannot read a %T as a Secret", o)
}

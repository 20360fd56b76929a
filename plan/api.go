package plan

import (
	"context"

	"k8s.io/apimachinery/pkg/runtime"
)

// API is the part of the Kubernetes API that the Object step needs. Package cluster implements it.
type API interface {
	// Live returns the object that has obj's kind, namespace and name, or nil when there is none.
	Live(ctx context.Context, obj runtime.Object) (runtime.Object, error)
	// List returns the objects of like's kind and namespace that carry all these labels.
	List(ctx context.Context, like runtime.Object, labels map[string]string) ([]runtime.Object, error)
	// Apply makes the cluster's object agree with obj (server-side apply) and returns the result;
	// with dryRun nothing is stored.
	Apply(ctx context.Context, obj runtime.Object, dryRun bool) (runtime.Object, error)
	// Delete removes the object; that it is gone already is no error.
	Delete(ctx context.Context, obj runtime.Object) error
	// Changed compares an object as it is with what applying it would make of it, and returns a unified diff without the
	// values of Secrets and without what the server itself keeps (resourceVersion, managedFields, status).
	Changed(live, wanted runtime.Object) (lines string, changed bool)
	// Up says whether the API server answers; the error says why not.
	Up(ctx context.Context) error
}

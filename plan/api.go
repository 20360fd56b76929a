package plan

import (
	"context"

	"k8s.io/apimachinery/pkg/runtime"
)

// API is the part of the Kubernetes API that the Object step needs. Package cluster implements it.
type API interface {
	// Live returns the object that has obj's kind, namespace and name, or nil when there is none.
	Live(ctx context.Context, obj runtime.Object) (runtime.Object, error)
	// Apply makes the cluster's object agree with obj (server-side apply) and returns the result;
	// with dryRun nothing is stored.
	Apply(ctx context.Context, obj runtime.Object, dryRun bool) (runtime.Object, error)
	// Delete removes the object; that it is gone already is no error.
	Delete(ctx context.Context, obj runtime.Object) error
	// Up says whether the API server answers; the error says why not.
	Up(ctx context.Context) error
}

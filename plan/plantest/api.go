// Package plantest has what tests of plans need: a cluster in memory.
package plantest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

// API keeps objects in memory. Applying replaces the fields that are given and keeps the others, as server-side apply does.
type API struct {
	mu      sync.Mutex
	objects map[string]*unstructured.Unstructured
	writes  int
}

// NewAPI returns an empty cluster.
func NewAPI() *API { return &API{objects: map[string]*unstructured.Unstructured{}} }

// Names lists what is in the cluster, "Kind namespace/name", sorted.
func (a *API) Names() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Sorted(maps.Keys(a.objects))
}

// Writes counts the changes since the beginning.
func (a *API) Writes() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.writes
}

// Live implements plan.API.
func (a *API) Live(_ context.Context, obj runtime.Object) (runtime.Object, error) {
	u, err := content(obj)
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if live := a.objects[key(u)]; live != nil {
		return live.DeepCopy(), nil
	}
	return nil, nil
}

// List implements plan.API.
func (a *API) List(_ context.Context, like runtime.Object, labels map[string]string) ([]runtime.Object, error) {
	u, err := content(like)
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	var found []runtime.Object
	for _, name := range slices.Sorted(maps.Keys(a.objects)) {
		o := a.objects[name]
		carries := o.GetKind() == u.GetKind() && o.GetNamespace() == u.GetNamespace()
		for key, value := range labels {
			carries = carries && o.GetLabels()[key] == value
		}
		if carries {
			found = append(found, o.DeepCopy())
		}
	}
	return found, nil
}

// Apply implements plan.API.
func (a *API) Apply(_ context.Context, obj runtime.Object, dryRun bool) (runtime.Object, error) {
	u, err := content(obj)
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	u.SetResourceVersion("") // the server's
	result := u
	if live := a.objects[key(u)]; live != nil {
		result = live.DeepCopy()
		merge(result.Object, u.Object)
	}
	if !dryRun {
		a.writes++
		result.SetResourceVersion(fmt.Sprint(a.writes))
		a.objects[key(u)] = result
	}
	return result.DeepCopy(), nil
}

// Delete implements plan.API.
func (a *API) Delete(_ context.Context, obj runtime.Object) error {
	u, err := content(obj)
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.objects, key(u))
	a.writes++
	return nil
}

// Changed implements plan.API.
func (a *API) Changed(live, wanted runtime.Object) (string, bool) {
	d := cmp.Diff(live, wanted)
	return d, d != ""
}

// Up implements plan.API.
func (a *API) Up(context.Context) error { return nil }

func key(u *unstructured.Unstructured) string {
	if u.GetNamespace() == "" {
		return fmt.Sprintf("%s %s", u.GetKind(), u.GetName())
	}
	return fmt.Sprintf("%s %s/%s", u.GetKind(), u.GetNamespace(), u.GetName())
}

func content(obj runtime.Object) (*unstructured.Unstructured, error) {
	if u, ok := obj.(*unstructured.Unstructured); ok {
		return u.DeepCopy(), nil
	}
	m, err := runtime.DefaultUnstructuredConverter.ToUnstructured(obj)
	return &unstructured.Unstructured{Object: m}, err
}

func merge(into, from map[string]any) {
	for k, v := range from {
		inner, ok := v.(map[string]any)
		have, isMap := into[k].(map[string]any)
		if ok && isMap {
			merge(have, inner)
			continue
		}
		into[k] = v
	}
}

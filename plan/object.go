package plan

import (
	"context"
	"encoding/json"
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
)

// Object is an API object that should be in the cluster.
type Object struct {
	Obj runtime.Object
	// Absent means that there should be no such object.
	Absent bool
	// IfLeft, when set, leaves the object alone, with a warning, unless it is still as a run has left it.
	IfLeft *ObjectVersion
	// KeepExisting leaves an object alone that is there already, whatever it says: others own what is in it.
	KeepExisting bool
	// Unless, when set and true, means that the object had its time and is not wanted any more, as a bootstrap token
	// of a cluster that was set up long ago. Its error is the step's: the object must not be applied to this cluster.
	Unless func(ctx context.Context, api API) (bool, error)
	// Fill, when set, completes Obj with what only the cluster knows, such as the UID of its owner, before it is applied.
	Fill func(ctx context.Context, api API) error
}

func (o Object) String() string {
	kind := o.Obj.GetObjectKind().GroupVersionKind().Kind
	m, err := meta.Accessor(o.Obj)
	if err != nil {
		return kind
	}
	if m.GetNamespace() == "" {
		return fmt.Sprintf("%s %s", kind, m.GetName())
	}
	return fmt.Sprintf("%s %s/%s", kind, m.GetNamespace(), m.GetName())
}

// Diff asks the API server what server-side apply would change. Without one the change is Unknown.
func (o Object) Diff(ctx context.Context, t *Target) (Change, error) {
	if t.API == nil {
		return Change{Kind: Unknown, Why: noAPI}, nil
	}
	if o.Unless != nil {
		if skip, err := o.Unless(ctx, t.API); err != nil || skip {
			return Change{}, err
		}
	}
	live, err := o.look(ctx, t)
	if err != nil {
		return Change{}, err
	}
	if live == nil && o.Absent {
		return Change{}, nil
	}
	if o.IfLeft != nil && !o.IfLeft.is(live) {
		t.warn(o.String() + " stays as it is: it was changed since")
		return Change{Why: "changed since"}, nil
	}
	if o.Absent {
		return Change{Kind: Delete}, nil
	}
	if live == nil {
		return Change{Kind: Create, Why: notThere}, nil
	}
	if o.KeepExisting {
		return Change{}, nil
	}
	if o.Fill != nil && o.Fill(ctx, t.API) != nil {
		return Change{Kind: Update, Why: "differs"}, nil // what it needs is made by an earlier step
	}
	wanted, err := t.API.Apply(ctx, o.Obj, true)
	if err != nil {
		return Change{}, err
	}
	if lines, changed := t.API.Changed(live, wanted); changed {
		return Change{Kind: Update, Why: "differs", Lines: Redact(lines)}, nil
	}
	return Change{}, nil
}

// Apply makes the cluster agree.
func (o Object) Apply(ctx context.Context, t *Target) error {
	if t.API == nil {
		return fmt.Errorf("cannot apply %s: there is no API server to ask", o)
	}
	if o.Absent {
		return t.API.Delete(ctx, o.Obj)
	}
	if o.Fill != nil {
		if err := o.Fill(ctx, t.API); err != nil {
			return fmt.Errorf("cannot apply %s: %w", o, err)
		}
	}
	live, err := t.API.Apply(ctx, o.Obj, false)
	t.looked = lookedAt{o.String(), live, err == nil}
	return err
}

// Settled is Diff just after Apply, whose answer was the object as it is stored.
func (o Object) Settled(ctx context.Context, t *Target) (Change, error) {
	if o.Absent {
		return o.Diff(ctx, t)
	}
	return Change{}, nil
}

// lookedAt is an object as the API server has shown it last, or that it showed none.
type lookedAt struct {
	name  string
	live  runtime.Object
	known bool
}

// live is the object as Diff or Apply has seen it just before, or else as it is: each question costs a new API server time that its own
// start needs.
func (o Object) live(ctx context.Context, t *Target) (runtime.Object, error) {
	if t.looked.known && t.looked.name == o.String() {
		return t.looked.live, nil
	}
	return o.look(ctx, t)
}

func (o Object) look(ctx context.Context, t *Target) (runtime.Object, error) {
	live, err := t.API.Live(ctx, o.Obj)
	t.looked = lookedAt{o.String(), live, err == nil}
	return live, err
}

// Before records the object as it is, or that it is not there.
func (o Object) Before(ctx context.Context, t *Target) (*Before, error) {
	if t.API == nil {
		return nil, fmt.Errorf("cannot look at %s: there is no API server to ask", o)
	}
	live, err := o.live(ctx, t)
	if err != nil {
		return nil, err
	}
	m, err := meta.Accessor(o.Obj)
	if err != nil {
		return nil, err
	}
	apiVersion, kind := o.Obj.GetObjectKind().GroupVersionKind().ToAPIVersionAndKind()
	b := &ObjectBefore{APIVersion: apiVersion, Kind: kind, Namespace: m.GetNamespace(), Name: m.GetName(), Absent: live == nil}
	if live != nil && !o.Absent { // one that goes was made by a run
		if b.Data, err = json.Marshal(live); err != nil {
			return nil, err
		}
	}
	return &Before{Object: b}, nil
}

// version is what the object is now; nil when it can't be told.
func (o Object) version(ctx context.Context, t *Target) *ObjectVersion {
	live, err := o.live(ctx, t)
	if err != nil || live == nil {
		return nil
	}
	m, err := meta.Accessor(live)
	if err != nil {
		return nil
	}
	return &ObjectVersion{ResourceVersion: m.GetResourceVersion(), Generation: m.GetGeneration()}
}

// is says whether an object is still that version, but for its status where it counts generations.
func (v ObjectVersion) is(live runtime.Object) bool {
	m, err := meta.Accessor(live)
	if live == nil || err != nil {
		return false
	}
	if v.Generation != 0 {
		return m.GetGeneration() == v.Generation
	}
	return m.GetResourceVersion() == v.ResourceVersion
}

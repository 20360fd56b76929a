// Package plan is the engine: steps that say what should be, a plan that compares them with what is, and a run that makes
// the difference, journals it and checks it. It knows files, units, images, API objects and waits, but no component of Kubernetes.
package plan

import (
	"context"
	"errors"

	"github.com/kubewright/kubewright/host"
	"github.com/kubewright/kubewright/systemd"
)

// A Step is one thing, on this machine or in the cluster, and the state that it should be in.
// There are six kinds: File, Unit, Image, Object, Wait and Do.
type Step interface {
	// String names the thing: "file /etc/kubernetes/admin.conf".
	String() string
	// Diff says what Apply would do. It changes nothing.
	Diff(ctx context.Context, t *Target) (Change, error)
	// Apply makes it so. Twice is the same as once.
	Apply(ctx context.Context, t *Target) error
}

// Undoable is a step that can say, before it is applied, what is there now, so that it can be brought back.
// A step that is not Undoable is a point of no return unless it changes nothing that lasts.
type Undoable interface {
	Step
	Before(ctx context.Context, t *Target) (*Before, error)
}

// Settling is a step that is compared in its own way just after it was applied.
type Settling interface {
	Step
	Settled(ctx context.Context, t *Target) (Change, error)
}

// Kind is the sort of a Change.
type Kind int

// The sorts of change. The zero value means that nothing is to do.
const (
	Same    Kind = iota
	Create       // the thing is not there
	Update       // it is there and differs
	Delete       // it is there and should not be
	Run          // something happens that leaves no thing behind: a wait, a pull
	Unknown      // it can't be told yet, as when the API server is not up
)

// String is the word for the kind, as it appears in JSON output.
func (k Kind) String() string {
	return [...]string{"same", "create", "update", "delete", "run", "unknown"}[k]
}

// Sign is the mark of the kind in a printed plan.
func (k Kind) Sign() string {
	return [...]string{" ", "+", "~", "-", ">", "?"}[k]
}

// notThere is why most things are created; a printed plan leaves it out, the sign says it.
const notThere = "not there"

// noAPI is why it can't be told yet what is to do in the cluster.
const noAPI = "the API server is not up yet"

// Change says what is different and why. The zero Change means: already right.
type Change struct {
	Kind  Kind
	Why   string // "SANs differ: +10.0.0.5"; never a secret
	Lines string // unified diff; empty for secrets
}

// Target is where steps act: this machine and, once it answers, the cluster.
type Target struct {
	Host *host.Host
	// Systemd is nil where the machine's systemd is not to be touched or can't be reached; then units are Unknown.
	Systemd systemd.Manager
	// Runtime is nil where the container runtime can't be reached; then images are Unknown.
	Runtime host.Runtime
	// NoSystemd and NoRuntime are why they can't be reached, where that was tried.
	NoSystemd, NoRuntime error
	// API is nil where there is no cluster to talk to; then objects are Unknown.
	API API
	// Elsewhere says that a plan is previewed for another machine than this one: waits ask nobody.
	Elsewhere bool
	// Progress, when set, is told what a long step waits for now.
	Progress func(status string)
	// Warn, when set, is told what a step went on without.
	Warn func(message string)

	// looked is the object that was asked for last.
	looked lookedAt
	// without holds the images that the run goes on without.
	without map[string]bool
	// pending holds the files that earlier steps of a previewed plan would change. It is nil when no plan is previewed.
	pending map[string]bool
}

// unreachable is why there is nobody to ask.
func unreachable(who string, why error) error {
	if why == nil {
		return errors.New(who + " can't be reached")
	}
	return why
}

func (t *Target) warn(message string) {
	if t.Warn != nil {
		t.Warn(message)
	}
}

func (t *Target) progress(status string) {
	if t.Progress != nil {
		t.Progress(status)
	}
}

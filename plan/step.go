// Package plan is the engine: steps that say what should be, a plan that compares them with what is, and a run that makes
// the difference, journals it and checks it. It knows files, units, images, API objects and waits, but no component of Kubernetes.
package plan

import (
	"context"

	"github.com/kubewright/kubewright/host"
	"github.com/kubewright/kubewright/systemd"
)

// A Step is one thing, on this machine or in the cluster, and the state that it should be in.
type Step interface {
	// String names the thing: "file /etc/kubernetes/admin.conf".
	String() string
	// Diff says what Apply would do. It changes nothing.
	Diff(ctx context.Context, t *Target) (Change, error)
	// Apply makes it so. Twice is the same as once.
	Apply(ctx context.Context, t *Target) error
}

// Kind is the sort of a Change.
type Kind int

// The sorts of change. The zero value means that nothing is to do.
const (
	Same Kind = iota
	Create
	Update
	Delete
	Run     // something happens that is not a thing: a wait, an operation
	Unknown // it can't be told yet, as when the API server is not up
)

// Change says what is different and why. The zero Change means: already right.
type Change struct {
	Kind  Kind
	Why   string // "SANs differ: +10.0.0.5"; never a secret
	Lines string // unified diff; empty for secrets
}

// Target is where steps act: this machine and, once it answers, the cluster.
type Target struct {
	Host    *host.Host
	Systemd systemd.Manager
	Runtime host.Runtime
	API     API
	// Progress, when set, is told what a long step waits for now.
	Progress func(step Step, status string)
}

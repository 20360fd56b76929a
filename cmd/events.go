package cmd

import (
	"encoding/json"
	"fmt"
	"io"
	"sync"

	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kubewright/kubewright/manifests"
	"github.com/kubewright/kubewright/plan"
)

// event is one line of -o json.
type event struct {
	// Event is phase, step, warning, result or error.
	Event   string  `json:"event"`
	Phase   string  `json:"phase,omitempty"`
	Step    string  `json:"step,omitempty"`
	Change  string  `json:"change,omitempty"`
	Why     string  `json:"why,omitempty"`
	Final   bool    `json:"final,omitempty"`
	Path    string  `json:"path,omitempty"`
	Mode    string  `json:"mode,omitempty"`
	Content string  `json:"content,omitempty"`
	Diff    string  `json:"diff,omitempty"`
	Changes *int    `json:"changes,omitempty"`
	Seconds float64 `json:"seconds,omitempty"`
	Failed  bool    `json:"failed,omitempty"`
	DryRun  bool    `json:"dryRun,omitempty"`
	Message string  `json:"message,omitempty"`
}

type events struct {
	w  io.Writer
	mu sync.Mutex
}

func (e *events) emit(ev event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	data, err := json.Marshal(ev)
	if err != nil {
		return
	}
	fmt.Fprintln(e.w, string(data))
}

// step tells a step; files that are no secret come with their content.
func (e *events) step(it plan.Item) {
	ev := event{
		Event: "step", Phase: it.Phase, Step: it.Step.String(), Change: it.Change.Kind.String(), Why: it.Change.Why,
		Diff: it.Change.Lines, Final: plan.Final(it.Step),
	}
	if f, ok := it.Step.(plan.File); ok {
		ev.Path, ev.Mode = f.Path, fmt.Sprintf("%04o", f.Mode.Perm())
		if !f.Secret {
			ev.Content = string(f.Data)
		}
	}
	e.emit(ev)
}

func printObject(w io.Writer, o runtime.Object) error {
	data, err := manifests.YAML(o)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "---\n%s", data)
	return err
}

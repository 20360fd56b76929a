package cmd

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"sync"

	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kubewright/kubewright/cause"
	"github.com/kubewright/kubewright/manifests"
	"github.com/kubewright/kubewright/plan"
	"github.com/kubewright/kubewright/templates"
)

// event is one line of -o json, or one document of -o yaml. docs/events.schema.json describes it.
type event struct {
	// Event is phase, step, manifest, warning, result or error. The last one of a run is result or error.
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
	// Manifest is an object that --print-manifest shows.
	Manifest json.RawMessage `json:"manifest,omitempty"`
	// Run is with the result and the error of a run that has a record: its name for history.
	Run string `json:"run,omitempty"`
	// Node is with the result of join and of its phases: the name of this machine's node.
	Node string `json:"node,omitempty"`
	// Certificates are with the result of certs renew: what has become of each.
	Certificates []renewed `json:"certificates,omitempty"`
	// Moved is with the result of reset and rollback: where etcd's data is now.
	Moved []string `json:"moved,omitempty"`
	// LeftAlone is with the result of reset: what a user may look for among what it takes away.
	LeftAlone []string `json:"leftAlone,omitempty"`
	// Cause and ExitCode are with an error.
	Cause    cause.Cause `json:"cause,omitempty"`
	ExitCode int         `json:"exitCode,omitempty"`
	// Next is with the result of a whole init, of the phases show-join-command and upload-certs, and of the join of a control plane.
	Next *next `json:"next,omitempty"`
}

// next is what comes after init: the credentials, and how nodes join. Tokens, the certificate key and the commands that hold them
// are secrets; --skip-token-print and --skip-certificate-key-print put "<value withheld>" in their place.
type next struct {
	Kubeconfig string `json:"kubeconfig,omitempty"`
	// Endpoint is where nodes join, "host:port", and CACertHashes pin its CA.
	Endpoint     string   `json:"endpoint,omitempty"`
	CACertHashes []string `json:"caCertHashes,omitempty"`
	Tokens       []string `json:"tokens,omitempty"`
	// CertificateKey opens the certificates in the Secret kubeadm-certs; it is there only if this run uploaded them.
	CertificateKey string `json:"certificateKey,omitempty"`
	// JoinWorker and JoinControlPlane are commands, one for each token.
	JoinWorker       []string `json:"joinWorker,omitempty"`
	JoinControlPlane []string `json:"joinControlPlane,omitempty"`
}

func newNext(c templates.Closing) *next {
	n := &next{
		Kubeconfig: c.AdminKubeconfig, Endpoint: c.Endpoint, CACertHashes: c.CAHashes, Tokens: c.Tokens,
		JoinWorker: c.Worker(), JoinControlPlane: c.ControlPlane(),
	}
	if c.UploadCerts {
		n.CertificateKey = c.CertificateKey
	}
	return n
}

// events prints values for machines, each by itself.
type events struct {
	w io.Writer
	// yaml says that each value is a YAML document, else it is a line of JSON.
	yaml bool
	mu   sync.Mutex
}

// newEvents prints on stdout in the form json or yaml.
func newEvents(env *Env, form string) *events { return &events{w: env.Stdout, yaml: form == "yaml"} }

func (e *events) emit(ev event) { e.object(ev) }

// object prints one value, whose JSON fields keep their order in YAML.
func (e *events) object(v any) {
	e.mu.Lock()
	defer e.mu.Unlock()
	data, err := json.Marshal(v)
	if err == nil && e.yaml {
		data, err = orderedYAML(data)
		data = append([]byte("---\n"), bytes.TrimSuffix(data, []byte("\n"))...)
	}
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
		ev.Path = f.Path
		if !f.Absent {
			ev.Mode = fmt.Sprintf("%04o", f.Mode.Perm())
		}
		if !f.Secret {
			ev.Content = plan.Redact(string(f.Data))
		}
	}
	e.emit(ev)
}

// manifest tells an object as it would be sent.
func (e *events) manifest(o runtime.Object) {
	data, err := json.Marshal(o)
	if err == nil {
		e.emit(event{Event: "manifest", Manifest: data})
	}
}

func printObject(w io.Writer, o runtime.Object) error {
	data, err := manifests.YAML(o)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "---\n%s", data)
	return err
}

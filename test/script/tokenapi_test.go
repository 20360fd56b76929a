package script

import (
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"
)

// tokenAPI is a command of scripts: it starts what answers as an API server does that has bootstrap tokens, and writes a
// kubeconfig for it. "tokenapi FILE" keeps tokens; with a second argument "forbidding" it allows nothing, with "silent" it
// takes connections and does not answer.
func tokenAPI(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 || len(args) > 2 {
		ts.Fatalf("usage: tokenapi FILE [forbidding|silent]")
	}
	api := &tokens{stored: map[string]json.RawMessage{}}
	if len(args) == 2 {
		api.mood = args[1]
	}
	gone := make(chan struct{})
	api.gone = gone
	s := httptest.NewTLSServer(api)
	ts.Defer(func() { close(gone); s.Close() })
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	kubeconfig, err := json.Marshal(map[string]any{
		"apiVersion": "v1", "kind": "Config", "current-context": "c",
		"clusters": []any{map[string]any{"name": "c", "cluster": map[string]any{"server": s.URL, "certificate-authority-data": ca}}},
		"contexts": []any{map[string]any{"name": "c", "context": map[string]any{"cluster": "c", "user": "u"}}},
		"users":    []any{map[string]any{"name": "u", "user": map[string]any{"token": "t"}}},
	})
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), kubeconfig, 0o600))
}

// tokens answers for the Secrets of bootstrap tokens, by name.
type tokens struct {
	mood   string
	gone   chan struct{}
	mu     sync.Mutex
	stored map[string]json.RawMessage
	names  []string
}

func (a *tokens) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	const all = "/api/v1/namespaces/kube-system/secrets"
	a.mu.Lock()
	defer a.mu.Unlock()
	name := strings.TrimPrefix(r.URL.Path, all+"/")
	switch {
	case a.mood == "silent":
		<-a.gone // whatever becomes of the request: to return is to answer
		panic(http.ErrAbortHandler)
	case r.URL.Path == "/livez":
		fmt.Fprint(w, "ok")
	case a.mood == "forbidding":
		status(w, http.StatusForbidden, "Forbidden", "secrets is forbidden: user u may not do that")
	case r.Method == http.MethodGet && r.URL.Path == all:
		list := []json.RawMessage{}
		for _, name := range a.names {
			list = append(list, a.stored[name])
		}
		answer(w, http.StatusOK, map[string]any{"apiVersion": "v1", "kind": "SecretList", "metadata": map[string]any{}, "items": list})
	case r.Method == http.MethodPost && r.URL.Path == all:
		a.create(w, r)
	case r.Method == http.MethodDelete:
		a.remove(w, r, name)
	default:
		status(w, http.StatusMethodNotAllowed, "MethodNotAllowed", r.Method+" "+r.URL.Path)
	}
}

func (a *tokens) create(w http.ResponseWriter, r *http.Request) {
	var secret json.RawMessage
	var head struct{ Metadata struct{ Name string } }
	if err := json.NewDecoder(r.Body).Decode(&secret); err != nil || json.Unmarshal(secret, &head) != nil {
		status(w, http.StatusBadRequest, "BadRequest", "no JSON")
		return
	}
	name := head.Metadata.Name
	if a.stored[name] != nil {
		status(w, http.StatusConflict, "AlreadyExists", fmt.Sprintf("secrets %q already exists", name))
		return
	}
	if r.URL.Query().Get("dryRun") == "" {
		a.stored[name], a.names = secret, append(a.names, name)
	}
	answer(w, http.StatusCreated, secret)
}

func (a *tokens) remove(w http.ResponseWriter, r *http.Request, name string) {
	var options struct{ DryRun []string }
	_ = json.NewDecoder(r.Body).Decode(&options) // there may be no body
	if a.stored[name] == nil {
		status(w, http.StatusNotFound, "NotFound", fmt.Sprintf("secrets %q not found", name))
		return
	}
	if len(options.DryRun) == 0 {
		delete(a.stored, name)
		for i, n := range a.names {
			if n == name {
				a.names = append(a.names[:i:i], a.names[i+1:]...)
				break
			}
		}
	}
	status(w, http.StatusOK, "", "")
}

func status(w http.ResponseWriter, code int, reason, message string) {
	outcome := "Failure"
	if code == http.StatusOK {
		outcome = "Success"
	}
	answer(w, code, map[string]any{
		"apiVersion": "v1", "kind": "Status", "status": outcome, "reason": reason, "message": message, "code": code,
	})
}

func answer(w http.ResponseWriter, code int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(body)
}

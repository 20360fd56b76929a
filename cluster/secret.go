package cluster

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

const (
	secretKind = "Secret"
	// lastApplied is where kubectl apply keeps a copy of the whole object, values of Secrets included.
	lastApplied = "kubectl.kubernetes.io/last-applied-configuration"
)

// redact replaces the values of a Secret in both contents by their lengths, and says which of them differ.
func redact(live, wanted map[string]any) {
	for _, field := range []string{"data", "stringData"} {
		before, after := values(live, field), values(wanted, field)
		hideAll(live, field, before, nil)
		hideAll(wanted, field, after, before)
	}
	for _, content := range []map[string]any{live, wanted} {
		unstructured.RemoveNestedField(content, "metadata", "annotations", lastApplied)
	}
}

// hideAll writes lengths in place of values; compared with others, when there are any, a different value is marked.
func hideAll(content map[string]any, field string, have, others map[string]string) {
	if len(have) == 0 {
		delete(content, field)
		return
	}
	shown := make(map[string]any, len(have))
	for key, value := range have {
		text := fmt.Sprintf("<%d bytes>", length(field, value))
		if other, ok := others[key]; ok && other != value {
			text = fmt.Sprintf("<%d bytes, changed>", length(field, value))
		}
		shown[key] = text
	}
	content[field] = shown
}

// values returns a field's strings; whatever is not a string counts as an empty value and is hidden all the same.
func values(content map[string]any, field string) map[string]string {
	m, _ := content[field].(map[string]any)
	texts := make(map[string]string, len(m))
	for key, value := range m {
		text, _ := value.(string)
		texts[key] = text
	}
	return texts
}

func length(field, value string) int {
	if field == "data" {
		if plain, err := base64.StdEncoding.DecodeString(value); err == nil {
			return len(plain)
		}
	}
	return len(value)
}

// redactedError has a message without secret values. Unwrap still gives the API's error, for errors.As.
type redactedError struct {
	message string
	cause   error
}

func (e *redactedError) Error() string { return e.message }
func (e *redactedError) Unwrap() error { return e.cause }

// withoutSecrets takes the values of a Secret out of an error's message: the API server may quote what it rejects.
func withoutSecrets(err error, obj *unstructured.Unstructured) error {
	if err == nil || obj.GetKind() != secretKind {
		return err
	}
	var hidden []string
	for _, value := range values(obj.Object, "data") {
		plain, _ := base64.StdEncoding.DecodeString(value)
		hidden = append(hidden, value, string(plain))
	}
	// The longest first, so that a value which is part of another (a token's ID, say) does not leave the rest of it.
	slices.SortFunc(hidden, func(a, b string) int { return len(b) - len(a) })
	message := err.Error()
	for _, text := range hidden {
		if len(text) >= 4 { // shorter ones would tear the message apart and say nothing
			message = strings.ReplaceAll(message, text, "<hidden>")
		}
	}
	return &redactedError{message: message, cause: err}
}

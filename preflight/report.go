package preflight

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/kubewright/kubewright/cause"
)

// Report is what the checks found, each list in the order of the checks.
type Report struct {
	// Warnings do not end the run.
	Warnings []Finding
	// Errors do.
	Errors []Finding
	// Ignored would, but the user wants to go on regardless.
	Ignored []Finding
}

// Err is nil when there are no Errors. Otherwise it is one error that lists them all with their hints, each hint once, and
// tells how to go on regardless.
func (r *Report) Err() error {
	if len(r.Errors) == 0 {
		return nil
	}
	count := fmt.Sprintf("%d problems were found", len(r.Errors))
	if len(r.Errors) == 1 {
		count = "a problem was found"
	}
	lines := []string{"cannot use this machine: " + count}
	var names []string
	hints := map[string]bool{}
	for _, f := range r.Errors {
		if hints[f.Hint] { // said already
			f.Hint = ""
		}
		hints[f.Hint] = true
		lines = append(lines, strings.ReplaceAll(f.String(), "\n", "\n    "))
		if !slices.Contains(names, f.Check) {
			names = append(names, f.Check)
		}
	}
	lines = append(lines, "nothing was changed; if you know better, go on with: --ignore-preflight-errors="+strings.Join(names, ","))
	return cause.Preflight.Mark(errors.New(strings.Join(lines, "\n")))
}

// add puts a check's findings where they belong.
func (r *Report) add(found []Finding, ignored bool) {
	for _, f := range found {
		switch {
		case f.Warning:
			r.Warnings = append(r.Warnings, f)
		case ignored:
			r.Ignored = append(r.Ignored, f)
		default:
			r.Errors = append(r.Errors, f)
		}
	}
}

// Ignores says whether errors of the check are to be ignored: ignore holds its name, in any letter case, or "all".
func Ignores(ignore []string, check string) bool {
	return slices.ContainsFunc(ignore, func(name string) bool {
		name = strings.TrimSpace(name)
		return strings.EqualFold(name, "all") || strings.EqualFold(name, check)
	})
}

package cmd

import (
	"slices"
	"strings"

	"github.com/kubewright/kubewright/plan"
)

// painter colours text on terminals, unless NO_COLOR is set (no-color.org).
type painter struct{ on bool }

func newPainter(env *Env) painter {
	refused := slices.ContainsFunc(env.Environ, func(kv string) bool {
		name, value, _ := strings.Cut(kv, "=")
		return name == "NO_COLOR" && value != "" || name == "TERM" && value == "dumb"
	})
	return painter{on: env.Terminal && !refused}
}

func (p painter) colour(code, s string) string {
	if !p.on {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

func (p painter) warning(s string) string { return p.colour("33", s) }

// mark opens the line of a phase that went well or not.
func (p painter) mark(ok bool) string {
	if ok {
		return p.colour("32", "ok  ")
	}
	return p.colour("31", "FAIL")
}

func (p painter) kind(k plan.Kind, s string) string {
	switch k {
	case plan.Create:
		return p.colour("32", s)
	case plan.Update, plan.Run:
		return p.colour("33", s)
	case plan.Delete:
		return p.colour("31", s)
	}
	return s
}

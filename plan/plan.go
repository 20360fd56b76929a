package plan

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// A Plan is an ordered list of sections, one for each phase.
type Plan struct {
	Sections []Section
}

// Section is what one phase wants.
type Section struct {
	Phase string // "certs", or "certs/ca" for a part of it
	Steps []Step
	// KeepGoing means that a step which fails is no reason to leave out the others, here and in the sections after this one.
	KeepGoing bool
}

// Item is one step with what it would do.
type Item struct {
	Phase  string
	Step   Step
	Change Change
}

// Preview compares every step with the machine as it is. It changes nothing.
// Steps are compared with the machine of now; only units also count the files that the plan itself would change first.
func (p Plan) Preview(ctx context.Context, t *Target) ([]Item, error) {
	looking := *t
	looking.pending = map[string]bool{}
	t = &looking
	var items []Item
	for _, s := range p.Sections {
		for _, step := range s.Steps {
			c, err := step.Diff(ctx, t)
			if err != nil && s.KeepGoing {
				c, err = Change{Kind: Unknown, Why: firstLine(err)}, nil
			}
			if err != nil {
				return items, fmt.Errorf("%s: %w", s.Phase, err)
			}
			if f, ok := step.(File); ok && c.Kind != Same && c.Kind != Unknown {
				t.pending[f.Path] = true
			}
			items = append(items, Item{Phase: s.Phase, Step: step, Change: c})
		}
	}
	return items, nil
}

// Changes counts the items that are not Same.
func Changes(items []Item) int {
	n := 0
	for _, it := range items {
		if it.Change.Kind != Same {
			n++
		}
	}
	return n
}

// Cut parts the plan before the first section of one of these phases. Without such a section all of it comes before.
func (p Plan) Cut(phases ...string) (before, rest Plan) {
	at := slices.IndexFunc(p.Sections, func(s Section) bool { return slices.Contains(phases, s.Phase) })
	if at < 0 {
		return p, Plan{}
	}
	return Plan{Sections: p.Sections[:at]}, Plan{Sections: p.Sections[at:]}
}

// Final says that the step can't be taken back: it does something and has no record of before.
func Final(s Step) bool {
	if f, ok := s.(File); ok {
		return f.forgets()
	}
	d, ok := s.(Do)
	return ok && !d.Passing
}

// NeedsAPI says that the step talks to the cluster.
func NeedsAPI(s Step) bool { return talksToAPI(s) }

func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

// Files is the plan reduced to its files, for rendering under another root.
func (p Plan) Files() Plan {
	var out Plan
	for _, s := range p.Sections {
		var files []Step
		for _, step := range s.Steps {
			if f, ok := step.(File); ok {
				files = append(files, f)
			}
		}
		if files != nil {
			out.Sections = append(out.Sections, Section{Phase: s.Phase, Steps: files, KeepGoing: s.KeepGoing})
		}
	}
	return out
}

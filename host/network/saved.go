package network

import (
	"fmt"
	"strings"
)

// legacyTable is what is ours in one table.
type legacyTable struct {
	name     string
	policies []string // of the chains that iptables makes by itself, with what they have counted: "INPUT DROP [5:500]"
	chains   []string
	rules    []string // in chains of others, as they were printed: "PREROUTING -j KUBE-SERVICES"
}

// write writes what the restoring program needs to delete it and to leave all else: chains are emptied by being named, before
// the rules that lead to them and then they themselves go. Counters of rules stay by themselves, but iptables sets those of
// policies to zero with each change of a table, unless they are said again.
func (t legacyTable) write(to *strings.Builder) {
	fmt.Fprintf(to, "*%s\n", t.name)
	for _, p := range t.policies {
		fmt.Fprintf(to, ":%s\n", p)
	}
	for _, c := range t.chains {
		fmt.Fprintf(to, ":%s - [0:0]\n", c)
	}
	for _, j := range t.rules {
		fmt.Fprintf(to, "-D %s\n", j)
	}
	for _, c := range t.chains {
		fmt.Fprintf(to, "-X %s\n", c)
	}
	to.WriteString("COMMIT\n")
}

// parseSaved reads what the saving program prints. Tables in which nothing is ours are left out.
func parseSaved(saved string, o owner) ([]legacyTable, error) {
	var all []legacyTable
	var t legacyTable
	ours := map[string]bool{}
	for line := range strings.Lines(saved) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case line == "" || line[0] == '#':
		case line[0] == '*':
			t, ours = legacyTable{name: line[1:]}, map[string]bool{}
		case line[0] == ':':
			name, rest, _ := strings.Cut(line[1:], " ")
			if !strings.HasPrefix(rest, "- ") { // only a chain that iptables makes by itself has a policy
				t.policies = append(t.policies, line[1:])
			} else if o.hasChain(name) {
				t.chains = append(t.chains, name)
				ours[name] = true
			}
		case strings.HasPrefix(line, "-A "):
			words, err := splitSaved(line)
			if err != nil {
				return nil, err
			}
			if !ours[words[1]] && (ours[target(words)] || o.hasComment(comments(words))) {
				t.rules = append(t.rules, strings.TrimPrefix(line, "-A "))
			}
		case line == "COMMIT":
			if len(t.chains)+len(t.rules) > 0 {
				all = append(all, t)
			}
		default:
			return nil, fmt.Errorf("the line %q is of no known form", line)
		}
	}
	return all, nil
}

// target returns the chain that a rule jumps or goes to. It is at the end: what follows -j are options of targets that are no chains.
func target(words []string) string {
	if at := len(words) - 2; at >= 2 && (words[at] == "-j" || words[at] == "-g") {
		return words[at+1]
	}
	return ""
}

// comments returns the comments of a rule.
func comments(words []string) []string {
	var all []string
	for i, w := range words[:len(words)-1] {
		if w == "--comment" {
			all = append(all, words[i+1])
		}
	}
	return all
}

// splitSaved splits a line into words, as iptables prints them: some are in double quotes, with backslashes in them.
func splitSaved(line string) ([]string, error) {
	var words []string
	var word strings.Builder
	var quoted, escaped, begun bool
	for _, c := range []byte(line) {
		switch {
		case escaped:
			word.WriteByte(c)
			escaped = false
		case quoted && c == '\\':
			escaped = true
		case c == '"':
			quoted, begun = !quoted, true
		case c == ' ' && !quoted:
			if begun {
				words = append(words, word.String())
			}
			word.Reset()
			begun = false
		default:
			word.WriteByte(c)
			begun = true
		}
	}
	if quoted {
		return nil, fmt.Errorf("the line %q ends within quotes", line)
	}
	if begun {
		words = append(words, word.String())
	}
	if len(words) < 2 {
		return nil, fmt.Errorf("the line %q names no chain", line)
	}
	return words, nil
}

package cmd

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// surface is what the help of a command says of it and of all commands below it, by their paths without the program's name.
type surface map[string]*surfaceOf

// surfaceOf is one command: its arguments as the line of its usage shows them, and its flags as help shows them, by their long names.
type surfaceOf struct {
	args    string
	aliases []string
	flags   map[string]string
}

var (
	commandsBlock = regexp.MustCompile(`(?m)^Available Commands:\n((?:  .*\n)+)`)
	topicsBlock   = regexp.MustCompile(`(?m)^Additional help topics:\n((?:  .*\n)+)`)
	aliasesBlock  = regexp.MustCompile(`(?m)^Aliases:\n  (.*)\n`)
	usageLine     = regexp.MustCompile(`(?m)^Usage:\n  (.*)\n`)
	flagsBlock    = regexp.MustCompile(`(?m)^(?:Global )?Flags:\n((?: +.*\n?)+)`)
	flagLine      = regexp.MustCompile(`^ +(?:-(\w), )?--([\w-]+)(?:\[=\S+\])?(?: (\S+))?(?:   (.*)|)$`)
	defaultValue  = regexp.MustCompile(`\(default (.*)\)$`)
)

// walkHelp reads the help of the program, the argument --help added, and of every command that is named there.
func walkHelp(t *testing.T, help func(path []string) string) surface {
	t.Helper()
	found := surface{}
	var walk func(path []string)
	walk = func(path []string) {
		text := help(path)
		of, err := parseHelp(text, len(path))
		if err != nil {
			t.Fatalf("%s: %v", strings.Join(path, " "), err)
		}
		found[strings.Join(path, " ")] = of
		for _, sub := range subCommands(text, len(path)) {
			walk(append(slices.Clone(path), sub))
		}
	}
	walk(nil)
	return found
}

func subCommands(text string, depth int) []string {
	var names []string
	for _, line := range blockLines(commandsBlock, text) {
		names = append(names, strings.Fields(line)[0])
	}
	for _, line := range blockLines(topicsBlock, text) { // these are named with all of their path
		names = append(names, strings.Fields(line)[depth+1])
	}
	return names
}

func blockLines(block *regexp.Regexp, text string) []string {
	var lines []string
	for _, m := range block.FindAllStringSubmatch(text, -1) {
		lines = append(lines, strings.Split(strings.TrimRight(m[1], "\n"), "\n")...)
	}
	return lines
}

func parseHelp(text string, depth int) (*surfaceOf, error) {
	of := &surfaceOf{flags: map[string]string{}}
	if m := usageLine.FindStringSubmatch(text); m != nil {
		words := strings.Fields(strings.TrimSuffix(strings.TrimSuffix(m[1], " [flags]"), " [command]"))
		of.args = strings.Join(words[min(len(words), depth+1):], " ")
	}
	if m := aliasesBlock.FindStringSubmatch(text); m != nil {
		of.aliases = strings.Split(m[1], ", ")[1:]
	}
	var whole []string // a flag's description may take more than one line
	for _, line := range blockLines(flagsBlock, text) {
		if strings.HasPrefix(strings.TrimLeft(line, " "), "-") {
			whole = append(whole, line)
		} else if len(whole) > 0 {
			whole[len(whole)-1] += " " + strings.TrimSpace(line)
		}
	}
	for _, line := range whole {
		m := flagLine.FindStringSubmatch(line)
		if m == nil {
			return nil, fmt.Errorf("cannot read the line of a flag: %q", line)
		}
		short, name, kind, about := m[1], m[2], m[3], m[4]
		if d := defaultValue.FindStringSubmatch(about); d != nil {
			kind += "=" + d[1]
		}
		if short != "" {
			kind = strings.TrimSpace("-" + short + " " + kind)
		}
		of.flags[name] = kind
	}
	return of, nil
}

// String is one paragraph for each command, which is what the golden file holds.
func (s surface) String() string {
	var b strings.Builder
	for _, path := range sortedKeys(s) {
		of := s[path]
		fmt.Fprintf(&b, "%s\n", strings.Join(strings.Fields("kubeadm "+path+" "+of.args), " "))
		for _, alias := range of.aliases {
			fmt.Fprintf(&b, "  alias %s\n", alias)
		}
		for _, name := range sortedKeys(of.flags) {
			fmt.Fprintf(&b, "  %s\n", strings.TrimSpace("--"+name+" "+of.flags[name]))
		}
	}
	return b.String()
}

func sortedKeys[T any](m map[string]T) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

package config

import (
	"regexp"
	"sync"
)

// pattern is a regular expression that is compiled when it is first asked for: most commands ask for none, and compiling all of them
// takes a twentieth of the time of a command like version.
type pattern func() *regexp.Regexp

func newPattern(text string) pattern {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(text) })
}

// Package templates renders the text files that people and daemons read: units, drop-ins, environment files, the Corefile and
// closing messages. Each is a .tmpl file and a Go struct. It is pure: decisions are made in Go, a template only prints.
package templates

import (
	"bytes"
	"embed"
	"fmt"
	"path"
	"sync"
	"text/template"

	"github.com/Masterminds/sprig/v3"
)

// Marker is in the first line of every file that is wholly kubewright's, so that it can tell its own from others'.
const Marker = "Written by kubewright"

//go:embed *.tmpl
var files embed.FS

// allowed are the functions of sprig that templates may use. The rest reads the clock, the environment or random numbers, and
// a plan has to render the same twice.
func allowed() template.FuncMap {
	all, some := sprig.TxtFuncMap(), template.FuncMap{}
	for _, name := range []string{"join", "quote"} {
		some[name] = all[name]
	}
	return some
}

// parsed holds all templates by the name of their file, from when the first is rendered. They are part of the program: that they parse
// is tested.
var parsed = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("").Funcs(allowed()).Option("missingkey=error").ParseFS(files, "*.tmpl"))
})

// render fills in one template.
func render(name string, values any) ([]byte, error) {
	var out bytes.Buffer
	if err := parsed().ExecuteTemplate(&out, name, values); err != nil {
		return nil, fmt.Errorf("cannot render %s: %w", name, err)
	}
	return out.Bytes(), nil
}

// program checks that a path can be written into a unit: absolute, and free of what systemd or its shell-like words give a
// meaning to.
func program(p string) error {
	if !path.IsAbs(p) {
		return fmt.Errorf("cannot write a unit for %q: the path of the program has to be absolute", p)
	}
	for _, r := range p {
		switch {
		case r <= ' ', r == '"', r == '\'', r == '\\', r == '$', r == '%', r == ';', r == 0x7f:
			return fmt.Errorf("cannot write a unit for %q: systemd gives the character %q a meaning; "+
				"put the program into a directory with a plain name", p, r)
		}
	}
	return nil
}

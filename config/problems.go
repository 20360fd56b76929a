package config

import (
	"errors"
	"fmt"
)

// problems collects everything that is wrong, so that the user can repair all of it at once.
type problems struct {
	errs []error
}

// add records what is wrong with the field at path and, in the same sentence, what would be right.
func (p *problems) add(path, format string, args ...any) {
	p.errs = append(p.errs, fmt.Errorf("%s: %s", path, fmt.Sprintf(format, args...)))
}

func (p *problems) err() error { return errors.Join(p.errs...) }

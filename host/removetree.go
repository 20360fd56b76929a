package host

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// RemoveTree removes a file, a link or a directory with all that is in it, durably, and what crashed writes left beside it.
// Links are removed, never followed. Nothing there is no error. A mount point is not crossed: it stays, with what leads to
// it, as does what can't be removed; everything else goes, and the error names what stayed. If the path itself is a mount
// point, what is in it goes.
func (h *Host) RemoveTree(path string) error {
	if err := h.removeTree(path); err != nil {
		return fmt.Errorf("cannot remove %s: %w", path, h.why(path, err))
	}
	return nil
}

func (h *Host) removeTree(path string) error {
	p, err := h.at(path, false)
	if err != nil {
		return err
	}
	defer p.Close()
	if filepath.Clean(path) == "/" {
		return errors.New("it is the root directory")
	}
	parent, err := p.OpenFile(p.dir, unix.O_DIRECTORY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer parent.Close()
	r := remover{host: h}
	if err := r.top(parent, p.name, filepath.Clean(path)); err != nil {
		return err
	}
	leftErr := h.removeLeftovers(p)
	err = h.fault("syncdir", path)
	if crashed(err) {
		return err
	}
	if err == nil {
		err = p.sync(p.dir)
	}
	return oneOf(r.err(), leftErr, err)
}

// EmptyDir removes what is in a directory as RemoveTree does, and keeps the directory itself. A link at the path is followed,
// and stays; the directory may be a mount point.
func (h *Host) EmptyDir(path string) error {
	if err := h.emptyDir(path); err != nil {
		return fmt.Errorf("cannot empty %s: %w", path, h.why(path, err))
	}
	return nil
}

func (h *Host) emptyDir(path string) error {
	p, err := h.at(path, true)
	if err != nil {
		return err
	}
	defer p.Close()
	if filepath.Clean(path) == "/" {
		return errors.New("it is the root directory")
	}
	d, err := p.OpenFile(p.full(), unix.O_DIRECTORY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer d.Close()
	r := remover{host: h}
	if _, err := r.contents(d, filepath.Clean(path)); err != nil {
		return err
	}
	err = h.fault("syncdir", path)
	if crashed(err) {
		return err
	}
	if err == nil {
		err = p.sync(p.full())
	}
	return oneOf(r.err(), err)
}

// oneOf joins errors in one line.
func oneOf(errs ...error) error {
	var all error
	for _, err := range errs {
		switch err = cause(err); {
		case err == nil:
		case all == nil:
			all = err
		default:
			all = fmt.Errorf("%w; %w", all, err)
		}
	}
	return all
}

// remover removes trees by directory handles, so that nobody can lead it elsewhere by moving things, and keeps account of what
// stayed. Its methods return whether all went, and an error only when the whole must stop.
type remover struct {
	host   *Host
	stayed []string
	first  error // why the first of them did
}

var errMountPoint = errors.New("is a mount point")

func (r *remover) stays(path string, err error) bool {
	if err != errMountPoint {
		err = fmt.Errorf("can't be removed: %w", cause(err))
		r.first = cmp.Or(r.first, err)
	}
	r.stayed = append(r.stayed, fmt.Sprintf("%s %s", path, err))
	return false
}

func (r *remover) err() error {
	if len(r.stayed) == 0 {
		return nil
	}
	return &remaining{few(r.stayed, "; "), r.first}
}

// remaining is what stayed, and why the first of it did.
type remaining struct {
	text  string
	first error
}

func (e *remaining) Error() string { return e.text }
func (e *remaining) Unwrap() error { return e.first }

// few joins the first of a list for a message.
func few(list []string, between string) string {
	const most = 5
	if n := len(list); n > most {
		return fmt.Sprintf("%s%sand %d more", strings.Join(list[:most], between), between, n-most)
	}
	return strings.Join(list, between)
}

// top is entry, but for a mount point, which it empties.
func (r *remover) top(parent *os.File, name, path string) error {
	d, err := openAny(parent, name)
	if err != nil {
		_, err := r.entry(parent, name, path)
		return err
	}
	defer d.Close()
	same, err := sameMount(parent, d)
	if err != nil {
		return err
	}
	if same {
		_, err := r.entry(parent, name, path)
		return err
	}
	_, err = r.contents(d, path)
	r.stays(path, errMountPoint)
	return err
}

func (r *remover) contents(d *os.File, path string) (bool, error) {
	names, err := d.Readdirnames(-1)
	if err != nil {
		return r.stays(path, err), nil
	}
	all := true
	for _, name := range names {
		gone, err := r.entry(d, name, filepath.Join(path, name))
		if err != nil {
			return false, err
		}
		all = all && gone
	}
	return all, nil
}

func (r *remover) entry(parent *os.File, name, path string) (bool, error) {
	d, err := openBelow(parent, name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return true, nil
	case errors.Is(err, unix.EXDEV):
		return r.stays(path, errMountPoint), nil
	case errors.Is(err, unix.ENOTDIR), errors.Is(err, unix.ELOOP):
		return r.unlink(parent, name, path, 0)
	case err != nil:
		return r.stays(path, err), nil
	}
	defer d.Close()
	if gone, err := r.contents(d, path); !gone || err != nil {
		return false, err
	}
	return r.unlink(parent, name, path, unix.AT_REMOVEDIR)
}

func (r *remover) unlink(parent *os.File, name, path string, flags int) (bool, error) {
	err := r.host.fault("remove", path)
	if crashed(err) {
		return false, err
	}
	if err == nil {
		err = unix.Unlinkat(int(parent.Fd()), name, flags)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return r.stays(path, err), nil
	}
	return true, nil
}

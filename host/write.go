package host

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"
)

// FileSpec is the content, mode and owner of a file. UID and GID are ignored where the host does not own files.
type FileSpec struct {
	Data     []byte
	Mode     fs.FileMode // permission bits
	UID, GID int
}

// WriteFile makes path a regular file with this content, mode and owner; what was there is replaced in one step.
// After a crash at any point the old file or the new one is there, never a part; when WriteFile returned, the new one
// survives a power cut. The temporary file beside it has a name with a leading dot, which the kubelet does not read in its
// manifest directory, and has its final mode and owner before the first byte is written. The directory must exist.
func (h *Host) WriteFile(path string, spec FileSpec) error {
	err := h.replace(path, func(p *place, temp string) error {
		f, err := p.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, spec.Mode.Perm())
		if err != nil {
			return err
		}
		defer f.Close()
		return h.fill(f, path, spec)
	})
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", path, h.why(path, err))
	}
	return nil
}

func (h *Host) fill(f *os.File, path string, spec FileSpec) error {
	// The umask may have taken bits away.
	if err := h.give(f, spec.Mode, spec.UID, spec.GID); err != nil {
		return err
	}
	if err := put(f, spec.Data, h.fault("write", path)); err != nil {
		return err
	}
	if err := h.fault("sync", path); err != nil {
		return err
	}
	if err := h.sync(f); err != nil {
		return err
	}
	return f.Close()
}

// Symlink makes path a symbolic link to target; a file or link that was there is replaced in one step, durably.
func (h *Host) Symlink(target, path string) error {
	err := h.replace(path, func(p *place, temp string) error { return p.Symlink(target, temp) })
	if err != nil {
		return fmt.Errorf("cannot link %s to %s: %w", path, target, h.why(path, err))
	}
	return nil
}

// replace lets make put something at a temporary name beside path and renames it to path.
func (h *Host) replace(path string, make func(p *place, temp string) error) error {
	p, err := h.at(path, false)
	if err != nil {
		return err
	}
	defer p.Close()
	if err := h.fault("create", path); err != nil {
		return err
	}
	if err := h.removeLeftovers(p); err != nil {
		return err
	}
	temp := p.temp()
	err = make(p, temp)
	if err == nil {
		err = h.fault("rename", path)
	}
	if err == nil {
		err = p.Rename(temp, p.full())
	}
	if err != nil {
		if crashed(err) {
			return err
		}
		if stays := p.removeIfThere(temp); stays != nil {
			err = fmt.Errorf("%w (and its temporary file stays: %w)", cause(err), cause(stays))
		}
		return err
	}
	if err := h.fault("syncdir", path); err != nil {
		return err
	}
	return p.sync(p.dir)
}

// AppendFile adds data to the end of a file, durably. A file that is not there is made with the mode, and so that it
// survives a power cut. Of data that can't be written whole, nothing stays.
func (h *Host) AppendFile(path string, data []byte, mode fs.FileMode) error {
	return h.appendTo(path, data, mode, true)
}

// AppendLazily leaves it to the kernel when the data gets to the disk: it survives the end of the process, and maybe no power cut.
func (h *Host) AppendLazily(path string, data []byte, mode fs.FileMode) error {
	return h.appendTo(path, data, mode, false)
}

func (h *Host) appendTo(path string, data []byte, mode fs.FileMode, durably bool) error {
	if err := h.appendFile(path, data, mode, durably); err != nil {
		return fmt.Errorf("cannot append to %s: %w", path, h.why(path, err))
	}
	return nil
}

func (h *Host) appendFile(path string, data []byte, mode fs.FileMode, durably bool) error {
	p, err := h.at(path, false)
	if err != nil {
		return err
	}
	defer p.Close()
	before, err := p.Lstat(p.full())
	fresh := errors.Is(err, fs.ErrNotExist)
	fault := h.fault("append", path)
	if fault != nil && !errors.As(fault, new(Short)) {
		return fault
	}
	f, err := p.OpenFile(p.full(), os.O_WRONLY|os.O_APPEND|os.O_CREATE|syscall.O_NOFOLLOW, mode.Perm())
	if err != nil {
		return err
	}
	defer f.Close()
	if fresh {
		if err := f.Chmod(mode.Perm()); err != nil {
			return err
		}
	}
	err = put(f, data, fault)
	if err == nil && durably {
		err = h.sync(f)
	}
	if err != nil { // a part of a line would spoil the one after it, and who tries again would write the whole twice
		var stays error
		if fresh {
			stays = p.removeIfThere(p.full())
		} else {
			stays = f.Truncate(before.Size())
		}
		if stays != nil {
			err = fmt.Errorf("%w (and a part of it stays: %w)", cause(err), cause(stays))
		}
		return err
	}
	if !fresh { // else the next one, which is durable, would count on its name
		return nil
	}
	return p.sync(p.dir)
}

const tempSuffix, tempDigits = ".tmp", 16

func (p *place) temp() string {
	var b [tempDigits / 2]byte
	rand.Read(b[:]) // never fails
	return strings.TrimSuffix(p.full(), p.name) + "." + p.name + "." + hex.EncodeToString(b[:]) + tempSuffix
}

// sync makes the content of a file durable, or the names in a directory.
func (h *Host) sync(f *os.File) error {
	err := f.Sync()
	if err == nil && h.synced != nil {
		h.synced(f)
	}
	return err
}

// sync makes the entries of a directory durable.
func (p *place) sync(dir string) error {
	d, err := p.OpenFile(dir, os.O_RDONLY, 0)
	if err != nil {
		return err
	}
	defer d.Close()
	err = p.host.sync(d)
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) {
		return nil // some file systems can't, and have nothing to make durable
	}
	return err
}

package plan

import (
	"path"
	"path/filepath"
	"strings"
)

// sound says whether a line that could be parsed can follow what was read of a journal. Otherwise it is damaged, or was written by
// a later version, and nobody knows what it tells: whoever goes by a journal removes and overwrites files.
func (r *PastRun) sound(l line) bool {
	last := 0
	if n := len(r.Records); n > 0 {
		last = r.Records[n-1].N
	}
	record := l.N != 0 || l.Before != nil || l.Kind != ""
	kinds := 0
	for _, is := range []bool{l.Run != nil, l.Done != nil, l.Ended != nil, l.End != nil, record} {
		if is {
			kinds++
		}
	}
	switch {
	case kinds != 1:
		return false
	case record:
		return l.N > last && (l.Before == nil || l.Before.sound())
	case l.Done != nil:
		return l.Done.N > 0 && l.Done.N <= last
	}
	return true
}

func (b *Before) sound() bool {
	switch {
	case b.File != nil:
		f := b.File
		return b.Unit == nil && b.Object == nil && absolute(f.Path) && plainName(f.Blob) && f.aboveSound()
	case b.Unit != nil:
		return b.Object == nil && b.Unit.Name != ""
	case b.Object != nil:
		return b.Object.Kind != "" && b.Object.Name != "" && plainName(b.Object.Blob)
	}
	return false
}

// aboveSound says that Above is above Path, but not the root: Parents goes from one to the other.
func (b *FileBefore) aboveSound() bool {
	return b.Above == "" || absolute(b.Above) && b.Above != "/" && strings.HasPrefix(b.Path, b.Above+"/")
}

func absolute(name string) bool { return path.IsAbs(name) && path.Clean(name) == name }

// plainName says that a file is beside the journal, or that there is none.
func plainName(blob string) bool {
	return blob == "" || filepath.Base(blob) == blob && filepath.IsLocal(blob)
}

package systemd

import (
	"strings"
	"testing"
)

// Whatever types and values the properties have, a unit comes of them, and it can be told in words.
func FuzzUnit(f *testing.F) {
	f.Add("LoadState", "loaded", uint64(1), int64(-1), true)
	f.Add("ExecMainStatus", "", uint64(1<<63), int64(1<<40), false)
	f.Add("ActiveEnterTimestamp", "\xff", ^uint64(0), int64(0), false)
	f.Fuzz(func(t *testing.T, name, text string, big uint64, number int64, yes bool) {
		for _, value := range []any{text, big, number, int32(number), uint32(big), yes, []string{text}, nil, [][]any{{text, big}}} {
			u := newUnit(kubelet, map[string]any{
				"LoadState": text, "ActiveState": text, "Result": text, "ExecMainStatus": int32(number), "NRestarts": uint32(big), name: value,
			})
			if u.Name != kubelet {
				t.Errorf("name %q", u.Name)
			}
			u.dead()
			u.describe()
			u.resultOf(text)
			_ = u.usable("start")
		}
	})
}

// Whatever journalctl prints, each of its lines becomes one line at most, with a time.
func FuzzJournalLines(f *testing.F) {
	for _, text := range []string{"", "\n", "1700000000.123456 kubelet[7]: a: b\n   more\n\n", "-- Boot 1 --\n", "1.000001 : \r\n", "\x00\xff\n\n"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		lines := journalLinesOf(text)
		if len(lines) > strings.Count(text, "\n")+1 {
			t.Errorf("%q became %q", text, lines)
		}
		for _, l := range lines {
			if strings.Contains(l.Text, "\n") || l.At.IsZero() {
				t.Errorf("%q became %q", text, lines)
			}
		}
	})
}

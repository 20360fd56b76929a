package config

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMergeArgs(t *testing.T) {
	base := []Arg{{Name: "zeta", Value: "1"}, {Name: "alpha", Value: "2"}, {Name: "beta", Value: "3"}}
	for _, tt := range []struct {
		name  string
		extra []Arg
		want  []string
	}{
		{"nothing more", nil, []string{"--alpha=2", "--beta=3", "--zeta=1"}},
		{"override moves to the end", []Arg{{Name: "alpha", Value: "x"}}, []string{"--beta=3", "--zeta=1", "--alpha=x"}},
		{"order and repeats stay", []Arg{{Name: "v", Value: "4"}, {Name: "beta", Value: "b"}, {Name: "beta", Value: "a"}, {Name: "c", Value: ""}},
			[]string{"--alpha=2", "--zeta=1", "--v=4", "--beta=b", "--beta=a", "--c="}},
		{"appended and prepended", []Arg{{Name: "beta", Value: ",4", MergeMethod: ArgAppend}, {Name: "alpha", Value: "0,", MergeMethod: ArgPrepend}},
			[]string{"--alpha=0,2", "--beta=3,4", "--zeta=1"}},
		{"nothing to append to", []Arg{{Name: "c", Value: "x", MergeMethod: ArgAppend}}, []string{"--alpha=2", "--beta=3", "--zeta=1"}},
		{"the last way counts", []Arg{{Name: "beta", Value: "x"}, {Name: "beta", Value: "4", MergeMethod: ArgAppend}},
			[]string{"--alpha=2", "--beta=34", "--zeta=1", "--beta=x"}},
	} {
		if diff := cmp.Diff(tt.want, MergeArgs(base, tt.extra)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
	if base[0].Name != "zeta" {
		t.Error("the base was changed")
	}
}

func TestArgValue(t *testing.T) {
	args := []Arg{{Name: "a", Value: "1"}, {Name: "b", Value: ""}, {Name: "a", Value: "2"}}
	for name, want := range map[string]string{"a": "2 true", "b": " true", "c": " false"} {
		value, found := ArgValue(args, name)
		if got := value + map[bool]string{true: " true", false: " false"}[found]; got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestParseToken(t *testing.T) {
	id, secret, err := ParseToken("abcdef.0123456789abcdef")
	if id != "abcdef" || secret != "0123456789abcdef" || err != nil {
		t.Errorf("got %q, %q, %v", id, secret, err)
	}
	for _, bad := range []string{"", "abcdef", "abcdef.0123456789ABCDEF", "abcdef.0123456789abcde5ecret", " abcdef.0123456789abcdef\n"} {
		if _, _, err := ParseToken(bad); err == nil || strings.Contains(err.Error(), "5ecret") {
			t.Errorf("ParseToken(%q): %v", bad, err)
		}
	}
}

func TestNewToken(t *testing.T) {
	// 255 and 252 are beyond the last whole alphabet and must be skipped.
	var random []byte
	for i := range byte(22) {
		random = append(random, 255, i, 252)
	}
	got, err := NewToken(bytes.NewReader(random))
	if want := "abcdef.ghijklmnopqrstuv"; got != want || err != nil {
		t.Errorf("token %q, %v; want %q", got, err, want)
	}
	if _, err := NewToken(bytes.NewReader(random[:20])); !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		t.Errorf("too little randomness: %v", err)
	}
}

func TestTokenErrors(t *testing.T) {
	c, d := New(), machine()
	d.Token = func() (string, error) { return "", io.ErrUnexpectedEOF }
	if err := c.SetDefaults(d); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("error %v", err)
	}
	d.Token = nil
	if err := New().SetDefaults(d); err != nil {
		t.Errorf("without a source of tokens: %v", err)
	}
}

func TestParseFeatureGates(t *testing.T) {
	got, err := ParseFeatureGates("RootlessControlPlane=true, ,")
	if diff := cmp.Diff(map[string]bool{"RootlessControlPlane": true}, got); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
	for text, want := range map[string]string{
		"RootlessControlPlane": "=true or", "RootlessControlPlane=maybe": "=true or", "Nonsense=true": "no such gate",
		"PublicKeysECDSA=true": "encryptionAlgorithm", "=true": "no such gate",
	} {
		if _, err := ParseFeatureGates(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

package config

import (
	"encoding/json"
	"strings"
	"testing"
)

// What is read as a token is that token, also when it was written again; an error does not repeat it.
func FuzzToken(f *testing.F) {
	for _, text := range []string{"abcdef.0123456789abcdef", "", "abcdef.0123456789abcde\n", "ABCDEF.0123456789abcdef", "\xff\xfe.\x00", "abcdef:0123456789abcdef"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		id, secret, err := ParseToken(text)
		if err == nil && (id+"."+secret != text || len(id) != 6 || len(secret) != 16) {
			t.Fatalf("%q was read as %q and %q", text, id, secret)
		}
		if err != nil && len(text) > 6 && strings.Contains(err.Error(), text) && !strings.Contains(errTokenForm.Error(), text) {
			t.Fatalf("the error repeats it: %v", err)
		}
		quoted, jsonErr := json.Marshal(text)
		if jsonErr != nil {
			t.Fatal(jsonErr)
		}
		var token BootstrapTokenString
		if got := json.Unmarshal(quoted, &token); (got == nil) != (err == nil) {
			t.Fatalf("%q is a token: %v; in JSON: %v", text, err, got)
		}
		if token.String() != "" && token.String() != text {
			t.Fatalf("%q became %q", text, token)
		}
	})
}

// A pin that passes is one, and what a shell or a person may have added to it does not.
func FuzzPin(f *testing.F) {
	good := "sha256:" + strings.Repeat("0123456789abcdef", 4)
	for _, text := range []string{good, good[7:], strings.ToUpper(good), good + "\n", " " + good, "sha512:" + good[7:], "", "sha256:\xff"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, pin string) {
		p := &problems{}
		checkPin(p, "caCertHashes[0]", pin)
		digits, ok := strings.CutPrefix(pin, "sha256:")
		right := ok && len(digits) == 64 && strings.Trim(digits, "0123456789abcdef") == ""
		if err := p.err(); right != (err == nil) {
			t.Fatalf("%q: %v", pin, err)
		}
	})
}

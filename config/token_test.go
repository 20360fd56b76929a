package config

import (
	"slices"
	"strings"
	"testing"
)

func TestCompleteTokens(t *testing.T) {
	made := func() (string, error) { return "abcdef.0123456789abcdef", nil }
	c := New()
	if err := c.CompleteTokens(made); err != nil {
		t.Fatal(err)
	}
	// A token that somebody makes with a command of its own is not one of init's, and has no description of ours.
	got := c.Init.BootstrapTokens
	if len(got) != 1 || got[0].Token.String() != "abcdef.0123456789abcdef" || !got[0].Generated || got[0].Description != "" ||
		got[0].TTL.Duration != DefaultTokenTTL || !slices.Equal(got[0].Usages, []string{"signing", "authentication"}) ||
		!slices.Equal(got[0].Groups, []string{NodeBootstrapTokenAuthGroup}) {
		t.Errorf("%+v", got)
	}
	c.Init.BootstrapTokens = []BootstrapToken{{Usages: []string{"signing"}}}
	if err := c.CompleteTokens(made); err != nil || c.Init.BootstrapTokens[0].Groups != nil {
		t.Errorf("a token only for discovery: %+v, %v", c.Init.BootstrapTokens[0], err)
	}
	c.Init.BootstrapTokens = []BootstrapToken{{Usages: []string{"joining"}}}
	if err := c.CompleteTokens(made); err == nil || !strings.Contains(err.Error(), `"joining" is not one of signing, authentication`) {
		t.Error(err)
	}
}

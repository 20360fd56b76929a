package cluster

import (
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

func TestTokenAlike(t *testing.T) {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	secret := func(id, value, expires string) *corev1.Secret {
		return &corev1.Secret{Data: map[string][]byte{
			"token-id": []byte(id), "token-secret": []byte(value), "expiration": []byte(expires),
		}}
	}
	want := &corev1.Secret{StringData: map[string]string{"token-id": "abcdef", "token-secret": "0123456789abcdef"}}
	for name, tc := range map[string]struct {
		have  *corev1.Secret
		alike bool
	}{
		"same, ends earlier": {secret("abcdef", "0123456789abcdef", "2026-11-24T13:00:00Z"), true},
		"expired":            {secret("abcdef", "0123456789abcdef", "2026-11-24T11:00:00Z"), false},
		"other secret":       {secret("abcdef", "1123456789abcdef", "2026-11-24T13:00:00Z"), false},
		"other id":           {secret("bbcdef", "0123456789abcdef", "2026-11-24T13:00:00Z"), false},
	} {
		if got := TokenAlike(tc.have, want, now); got != tc.alike {
			t.Errorf("%s: %t", name, got)
		}
	}
}

func TestJoinToken(t *testing.T) {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	good := map[string]string{
		"token-id": "abcdef", "token-secret": "0123456789abcdef", "usage-bootstrap-signing": "true",
		"usage-bootstrap-authentication": "true", "auth-extra-groups": "system:bootstrappers:a,system:bootstrappers:kubeadm:default-node-token",
		"expiration": "2026-11-24T13:00:00Z",
	}
	for name, test := range map[string]struct {
		key, value string
		want       bool
	}{
		"good":                  {"description", "x", true},
		"expired":               {"expiration", "2026-11-24T11:00:00Z", false},
		"only finds":            {"usage-bootstrap-authentication", "false", false},
		"only asks":             {"usage-bootstrap-signing", "", false},
		"in another group":      {"auth-extra-groups", "system:bootstrappers:a", false},
		"broken":                {"token-secret", "", false},
		"without an end":        {"expiration", "", true},
		"broken end is expired": {"expiration", "tomorrow", false},
	} {
		s := &corev1.Secret{Data: map[string][]byte{}}
		for key, value := range good {
			s.Data[key] = []byte(value)
		}
		s.Data[test.key] = []byte(test.value)
		token, ok := JoinToken(s, now)
		if ok != test.want || ok && token != "abcdef.0123456789abcdef" {
			t.Errorf("%s: %q, %v", name, token, ok)
		}
	}
}

func TestToken(t *testing.T) {
	secret := func() *corev1.Secret {
		s := &corev1.Secret{Data: map[string][]byte{
			"token-id": []byte("abcdef"), "token-secret": []byte("0123456789abcdef"), "description": []byte("lab"),
			"usage-bootstrap-signing": []byte("true"), "usage-bootstrap-authentication": []byte("true"), "usage-bootstrap-x": []byte("false"),
			"auth-extra-groups": []byte("system:bootstrappers:b,system:bootstrappers:a"), "expiration": []byte("2026-11-24T13:00:00Z"),
		}}
		s.Name = "bootstrap-token-abcdef"
		return s
	}
	got, err := Token(secret())
	if err != nil || got.Token.String() != "abcdef.0123456789abcdef" || got.Description != "lab" || got.Expires.Hour() != 13 ||
		!slices.Equal(got.Usages, []string{"authentication", "signing"}) || !slices.Equal(got.Groups, []string{"system:bootstrappers:b", "system:bootstrappers:a"}) {
		t.Errorf("%+v, %v", got, err)
	}
	for name, broken := range map[string]func(*corev1.Secret){
		"expiration": func(s *corev1.Secret) { s.Data["expiration"] = []byte("tomorrow") },
		"secret":     func(s *corev1.Secret) { s.Data["token-secret"] = []byte("0123456789ABCDEF") },
		"its name":   func(s *corev1.Secret) { s.Name = "bootstrap-token-zzzzzz" },
	} {
		s := secret()
		broken(s)
		if _, err := Token(s); err == nil || !strings.Contains(err.Error(), name) || strings.Contains(err.Error(), "0123456789") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

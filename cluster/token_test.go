package cluster

import (
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

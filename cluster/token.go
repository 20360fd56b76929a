package cluster

import (
	"bytes"
	"time"

	corev1 "k8s.io/api/core/v1"
	bootstrapapi "k8s.io/cluster-bootstrap/token/api"
	bootstrapsecrets "k8s.io/cluster-bootstrap/util/secrets"
)

// TokenAlike says whether a bootstrap token's Secret that is in the cluster is good for the same joins as the one wanted: the
// same ID and secret, not expired. When it ends may differ, because a lifetime counts from whenever a token was made.
func TokenAlike(have, want *corev1.Secret, now time.Time) bool {
	for _, key := range []string{bootstrapapi.BootstrapTokenIDKey, bootstrapapi.BootstrapTokenSecretKey} {
		if !bytes.Equal(have.Data[key], value(want, key)) {
			return false
		}
	}
	return !bootstrapsecrets.HasExpired(have, now)
}

// value is a Secret's value, whichever way it is written.
func value(s *corev1.Secret, key string) []byte {
	if text, ok := s.StringData[key]; ok {
		return []byte(text)
	}
	return s.Data[key]
}

package cluster

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	bootstrapapi "k8s.io/cluster-bootstrap/token/api"
	bootstrapsecrets "k8s.io/cluster-bootstrap/util/secrets"

	"github.com/kubewright/kubewright/config"
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

// JoinToken returns the token of a bootstrap token's Secret, "id.secret", if a node can join with it now: not expired, good for
// finding the cluster and for asking for a certificate, and in the group that the join's RBAC is made for.
func JoinToken(s *corev1.Secret, now time.Time) (string, bool) {
	id, secret := string(s.Data[bootstrapapi.BootstrapTokenIDKey]), string(s.Data[bootstrapapi.BootstrapTokenSecretKey])
	if id == "" || secret == "" || bootstrapsecrets.HasExpired(s, now) {
		return "", false
	}
	for _, usage := range []string{bootstrapapi.BootstrapTokenUsageSigningKey, bootstrapapi.BootstrapTokenUsageAuthentication} {
		if string(s.Data[usage]) != "true" {
			return "", false
		}
	}
	groups := strings.Split(string(s.Data[bootstrapapi.BootstrapTokenExtraGroupsKey]), ",")
	return id + "." + secret, slices.Contains(groups, config.NodeBootstrapTokenAuthGroup)
}

// Token reads a bootstrap token's Secret. The error names the Secret and repeats no value.
func Token(s *corev1.Secret) (config.BootstrapToken, error) {
	value := func(key string) string { return string(s.Data[key]) }
	t := config.BootstrapToken{
		Token:       &config.BootstrapTokenString{ID: value(bootstrapapi.BootstrapTokenIDKey), Secret: value(bootstrapapi.BootstrapTokenSecretKey)},
		Description: value(bootstrapapi.BootstrapTokenDescriptionKey),
	}
	broken := func(key string) error {
		return fmt.Errorf("cannot read the bootstrap token in Secret %s/%s: %s is missing or wrong", s.Namespace, s.Name, key)
	}
	if _, _, err := config.ParseToken(t.Token.String()); err != nil {
		return t, broken("its ID or its secret")
	}
	if s.Name != bootstrapapi.BootstrapTokenSecretPrefix+t.Token.ID {
		return t, broken("its name")
	}
	if text := value(bootstrapapi.BootstrapTokenExpirationKey); text != "" {
		end, err := time.Parse(time.RFC3339, text)
		if err != nil {
			return t, broken(bootstrapapi.BootstrapTokenExpirationKey)
		}
		t.Expires = &metav1.Time{Time: end}
	}
	for key, v := range s.Data {
		if usage, ok := strings.CutPrefix(key, bootstrapapi.BootstrapTokenUsagePrefix); ok && string(v) == "true" {
			t.Usages = append(t.Usages, usage)
		}
	}
	slices.Sort(t.Usages)
	if text := value(bootstrapapi.BootstrapTokenExtraGroupsKey); text != "" {
		t.Groups = strings.Split(text, ",")
	}
	return t, nil
}

// value is a Secret's value, whichever way it is written.
func value(s *corev1.Secret, key string) []byte {
	if text, ok := s.StringData[key]; ok {
		return []byte(text)
	}
	return s.Data[key]
}

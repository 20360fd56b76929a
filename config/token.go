package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	bootstrapapi "k8s.io/cluster-bootstrap/token/api"
	bootstraputil "k8s.io/cluster-bootstrap/token/util"
)

const (
	// NodeBootstrapTokenAuthGroup is the group whose members may join the cluster as nodes.
	NodeBootstrapTokenAuthGroup = "system:bootstrappers:kubeadm:default-node-token"
	// DefaultTokenTTL is the lifetime of a bootstrap token.
	DefaultTokenTTL = 24 * time.Hour

	tokenSigning        = "signing"
	tokenAuthentication = "authentication"
)

var errTokenForm = errors.New("a bootstrap token has 6 and 16 characters from a-z and 0-9 with a dot between: abcdef.0123456789abcdef")

// BootstrapToken lets nodes find and trust the cluster and ask for a kubelet certificate (KEP-130).
type BootstrapToken struct {
	// Token is "id.secret". Default: random.
	Token *BootstrapTokenString `json:"token"`
	// Description is for people.
	Description string `json:"description,omitempty"`
	// TTL is the lifetime; 0 means forever. Default 24h. It excludes Expires.
	TTL *metav1.Duration `json:"ttl,omitempty"`
	// Expires is the end of life as a time.
	Expires *metav1.Time `json:"expires,omitempty"`
	// Usages are "signing" and "authentication". Default: both.
	Usages []string `json:"usages,omitempty"`
	// Groups are added to whoever authenticates with the token. Default: NodeBootstrapTokenAuthGroup.
	Groups []string `json:"groups,omitempty"`
	// Generated says that nobody has chosen the token: it was made up for this run.
	Generated bool `json:"-"`
}

// BootstrapTokenString is a token in its two parts; in YAML it is one string, "id.secret".
type BootstrapTokenString struct {
	ID     string `json:"-"`
	Secret string `json:"-"`
}

// String is the whole token, a secret; empty when there is none.
func (t BootstrapTokenString) String() string {
	if t.ID == "" && t.Secret == "" {
		return ""
	}
	return bootstraputil.TokenFromIDAndSecret(t.ID, t.Secret)
}

// MarshalJSON writes "id.secret".
func (t BootstrapTokenString) MarshalJSON() ([]byte, error) { return json.Marshal(t.String()) }

// UnmarshalJSON reads "id.secret"; its errors do not repeat the secret. An empty text is an error, too: whoever wants a random token
// leaves the field out.
func (t *BootstrapTokenString) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return errTokenForm
	}
	id, secret, err := ParseToken(s)
	if err != nil {
		return err
	}
	t.ID, t.Secret = id, secret
	return nil
}

// PlaceholderToken stands in documents for a token that somebody still has to choose.
const PlaceholderToken = "abcdef.0123456789abcdef"

// CompleteTokens fills what was left out of the tokens, makes those that have no value, and checks them.
func (c *Config) CompleteTokens(token func() (string, error)) error {
	if err := c.Init.defaultTokens(token); err != nil {
		return err
	}
	p := &problems{}
	c.checkTokens(p)
	return p.err()
}

// ParseToken splits a bootstrap token. The error says what is wanted and does not repeat the token.
func ParseToken(s string) (id, secret string, err error) {
	m := bootstraputil.BootstrapTokenRegexp.FindStringSubmatch(s)
	if m == nil {
		return "", "", errTokenForm
	}
	return m[1], m[2], nil
}

// NewToken makes a bootstrap token of random bytes, which are taken from r.
func NewToken(r io.Reader) (string, error) {
	const alphabet = "abcdefghijklmnopqrstuvwxyz0123456789"
	// A byte at or above the largest multiple of the alphabet's length would make some characters likelier; it is skipped.
	const limit = byte(256 / len(alphabet) * len(alphabet))
	length := bootstrapapi.BootstrapTokenIDBytes + bootstrapapi.BootstrapTokenSecretBytes
	token, buf := make([]byte, 0, length+1), make([]byte, 1)
	for len(token) < length {
		if _, err := io.ReadFull(r, buf); err != nil {
			return "", fmt.Errorf("cannot make a bootstrap token: %w", err)
		}
		if buf[0] < limit {
			token = append(token, alphabet[int(buf[0])%len(alphabet)])
		}
	}
	return bootstraputil.TokenFromIDAndSecret(string(token[:bootstrapapi.BootstrapTokenIDBytes]),
		string(token[bootstrapapi.BootstrapTokenIDBytes:])), nil
}

package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	bootstrapapi "k8s.io/cluster-bootstrap/token/api"
	bootstraputil "k8s.io/cluster-bootstrap/token/util"

	"github.com/kubewright/kubewright/config"
)

// ListTokens returns the Secrets of all bootstrap tokens, expired ones included, sorted by name. They hold secrets.
func (c *Client) ListTokens(ctx context.Context) ([]corev1.Secret, error) {
	api := c.dynamic.Resource(corev1.SchemeGroupVersion.WithResource("secrets")).Namespace(metav1.NamespaceSystem)
	live, err := c.list(ctx, api, metav1.ListOptions{
		FieldSelector: fields.OneTermEqualSelector("type", string(corev1.SecretTypeBootstrapToken)).String(),
	})
	if err != nil {
		return nil, fmt.Errorf("cannot list the bootstrap tokens: %w", err)
	}
	tokens := make([]corev1.Secret, len(live))
	for i := range live {
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(live[i].Object, &tokens[i]); err != nil {
			return nil, fmt.Errorf("cannot understand Secret %s: %w", live[i].GetName(), err)
		}
	}
	slices.SortFunc(tokens, func(a, b corev1.Secret) int { return strings.Compare(a.Name, b.Name) })
	return tokens, nil
}

// CreateToken stores a bootstrap token that must not be there yet, as manifests.BootstrapTokens makes it. With dryRun the API
// server only says whether it would. When the answer to a request is lost, the token that is then there is taken for the one
// that was sent if it has the same content.
func (c *Client) CreateToken(ctx context.Context, token *corev1.Secret, dryRun bool) error {
	want, api, err := c.open(token)
	if err != nil {
		return fmt.Errorf("cannot create %s: %w", nameOf(want), err)
	}
	lost := false
	err = c.retry(ctx, func(ctx context.Context) error {
		_, err := api.Create(ctx, want, metav1.CreateOptions{FieldManager: FieldManager, DryRun: only(dryRun)})
		if !apierrors.IsAlreadyExists(err) {
			lost = lost || err != nil && !dryRun
			return withoutSecrets(err, want)
		}
		if lost && c.sameData(ctx, want) {
			return nil
		}
		// Without the API's error inside, so that it is not tried again.
		return fmt.Errorf("there is a token with this ID already\nchoose another one, or delete it: kubewright token delete %s",
			strings.TrimPrefix(want.GetName(), bootstrapapi.BootstrapTokenSecretPrefix))
	})
	if err != nil {
		return fmt.Errorf("cannot create %s: %w", nameOf(want), err)
	}
	return nil
}

// sameData says whether the cluster's Secret holds what was sent.
func (c *Client) sameData(ctx context.Context, want *unstructured.Unstructured) bool {
	live, err := c.Live(ctx, want)
	if live == nil || err != nil {
		return false
	}
	content, err := contentOf(live)
	if err != nil {
		return false
	}
	have, sent := values(content, "data"), values(want.Object, "data")
	for key, value := range sent {
		if have[key] != value {
			return false
		}
	}
	return len(have) == len(sent)
}

// TokenID is the ID of a token that is named by it (the part before the dot) or as a whole.
func TokenID(name string) (string, error) {
	if id, _, err := config.ParseToken(name); err == nil {
		return id, nil
	}
	if !bootstraputil.IsValidBootstrapTokenID(name) { // it is not repeated: it may be most of a token
		return "", errors.New("cannot tell which bootstrap token is meant: name it by its ID, 6 characters from a-z and 0-9, or as a whole")
	}
	return name, nil
}

// DeleteToken removes the bootstrap token with this ID (the part before the dot), or with this whole token. With dryRun the API
// server only says whether it would. The error when there is none says so.
func (c *Client) DeleteToken(ctx context.Context, name string, dryRun bool) error {
	id, err := TokenID(name)
	if err != nil {
		return err
	}
	api := c.dynamic.Resource(corev1.SchemeGroupVersion.WithResource("secrets")).Namespace(metav1.NamespaceSystem)
	lost := false
	err = c.retry(ctx, func(ctx context.Context) error {
		err := api.Delete(ctx, bootstraputil.BootstrapTokenSecretName(id), metav1.DeleteOptions{DryRun: only(dryRun)})
		if apierrors.IsNotFound(err) && lost {
			return nil
		}
		lost = lost || err != nil && !dryRun
		return err
	})
	switch {
	case apierrors.IsNotFound(err):
		return fmt.Errorf("cannot delete the bootstrap token %s: there is none with this ID\nto see those there are: kubewright token list", id)
	case err != nil:
		return fmt.Errorf("cannot delete the bootstrap token %s: %w", id, err)
	}
	return nil
}

package cluster

import (
	"context"
	"encoding/json"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	bootstrapapi "k8s.io/cluster-bootstrap/token/api"
	"k8s.io/cluster-bootstrap/token/jws"
)

// signTime bounds SignClusterInfo: it saves others some seconds, and must not cost more.
const signTime = 3 * time.Second

// SignClusterInfo puts a new bootstrap token's signature into cluster-info, so that a join with it need not wait for the controller
// manager's signer, which computes the same value and leaves it, or mends it if cluster-info changed meanwhile. Where that can't be
// done, for want of rights as well, it is the signer's, so it is no error. A token that is not for signing gets none.
func (c *Client) SignClusterInfo(ctx context.Context, token *corev1.Secret) {
	if string(value(token, bootstrapapi.BootstrapTokenUsageSigningKey)) != "true" {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, signTime)
	defer cancel()
	api := c.dynamic.Resource(corev1.SchemeGroupVersion.WithResource("configmaps")).Namespace(metav1.NamespacePublic)
	live, err := api.Get(ctx, bootstrapapi.ConfigMapClusterInfo, metav1.GetOptions{})
	if err != nil {
		return
	}
	kubeconfig, found, err := unstructured.NestedString(live.Object, "data", bootstrapapi.KubeConfigKey)
	if !found || err != nil {
		return
	}
	id := string(value(token, bootstrapapi.BootstrapTokenIDKey))
	signature, err := jws.ComputeDetachedSignature(kubeconfig, id, string(value(token, bootstrapapi.BootstrapTokenSecretKey)))
	if err != nil {
		return
	}
	patch, err := json.Marshal(map[string]map[string]string{"data": {bootstrapapi.JWSSignatureKeyPrefix + id: signature}})
	if err != nil {
		return
	}
	_, _ = api.Patch(ctx, bootstrapapi.ConfigMapClusterInfo, types.MergePatchType, patch, metav1.PatchOptions{FieldManager: FieldManager})
}

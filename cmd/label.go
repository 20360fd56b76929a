package cmd

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/kubewright/kubewright/config"
)

// resolveVersion asks for the version behind a label. That is the only time that the network is asked, and only because the
// user gave a label.
func (f *initFlags) resolveVersion(ctx context.Context, c *config.Config) error {
	label := c.Cluster.KubernetesVersion
	if !config.IsVersionLabel(label) {
		return nil
	}
	fetched := ""
	if url := config.LabelURL(label); url != "" {
		var err error
		if fetched, err = fetch(ctx, url); err != nil {
			return fmt.Errorf("cannot look up kubernetesVersion %q: %w\nname a version instead, such as %s", label, err, config.DefaultKubernetesVersion)
		}
	}
	version, err := config.ResolveLabel(label, fetched)
	if err != nil {
		return err
	}
	c.Cluster.KubernetesVersion = version
	return nil
}

func fetch(ctx context.Context, url string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s answered %s", url, resp.Status)
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, 256))
	return string(data), err
}

package cmd

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/kubewright/kubewright/config"
)

// resolveVersion returns the version behind a label, "" where none was given. That is the only time that the network is asked,
// and only because the user gave a label. Where it does not answer, this release's own version is as good as kubeadm's.
func resolveVersion(ctx context.Context, c *config.Config) (string, error) {
	label := c.Cluster.KubernetesVersion
	if !config.IsVersionLabel(label) {
		return "", nil
	}
	fetched, warning := "", ""
	if url := config.LabelURL(label); url != "" {
		var err error
		if fetched, err = fetch(ctx, url); err != nil {
			fetched, warning = "", fmt.Sprintf("kubernetesVersion: %q can't be looked up (%v)", label, err)
		}
	}
	version, err := config.ResolveLabel(label, fetched)
	if err == nil && warning != "" {
		c.Warnings = append(c.Warnings, warning+"; taking "+version)
	}
	return version, err
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

package cmd

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"k8s.io/client-go/tools/clientcmd"

	"github.com/kubewright/kubewright/cluster"
	"github.com/kubewright/kubewright/config"
)

// credentials are a kubeconfig that was found, and what its current context says about the cluster.
type credentials struct {
	path   string
	data   []byte
	server string
	ca     []byte
}

// findCredentials reads the kubeconfig that is named, or else the first that is there of $KUBECONFIG, or ~/.kube/config if
// that is not set, and admin.conf, as kubeadm does. Unlike kubectl neither tool merges several files.
func findCredentials(env *Env, named string) (*credentials, error) {
	path := named
	if path == "" {
		var err error
		if path, err = searchCredentials(env); err != nil {
			return nil, err
		}
	}
	kc, err := clientcmd.LoadFromFile(path)
	if err != nil {
		var file *fs.PathError
		if errors.As(err, &file) { // it would name the file a second time
			err = file.Err
		}
		return nil, fmt.Errorf("cannot read the credentials for the cluster in %s: %w\nname another file with --kubeconfig", path, err)
	}
	if err := clientcmd.ResolveLocalPaths(kc); err != nil {
		return nil, fmt.Errorf("cannot use the credentials in %s: %w", path, err)
	}
	data, err := clientcmd.Write(*kc)
	if err != nil {
		return nil, fmt.Errorf("cannot use the credentials in %s: %w", path, err)
	}
	a, err := cluster.ReadAccess(data, os.ReadFile)
	if err != nil {
		return nil, fmt.Errorf("cannot use the credentials in %s: %w\nname another file with --kubeconfig", path, err)
	}
	return &credentials{path: path, data: data, server: a.Server, ca: a.CA}, nil
}

// explain adds to the error of a request who asked whom.
func (c *credentials) explain(err error) error {
	return fmt.Errorf("%w\nthe credentials are those in %s, the API server is %s", err, c.path, c.server)
}

// joinEndpoint is where nodes join the cluster, "host:port", whose API server is that of the kubeconfig at path.
func joinEndpoint(server, path string) (string, error) {
	u, err := url.Parse(server)
	if err != nil || u.Scheme != "https" || u.Host == "" || strings.Trim(u.Path, "/") != "" {
		return "", fmt.Errorf("cannot make a join command with %s, the API server in %s: nodes need its host and port alone\n"+
			"name a kubeconfig of the cluster itself with --kubeconfig, as %s of its control-plane nodes",
			server, path, config.AdminKubeconfig)
	}
	if u.Port() == "" {
		return net.JoinHostPort(u.Hostname(), "443"), nil
	}
	return u.Host, nil
}

// searchCredentials takes the first file that is there. Empty words of $KUBECONFIG say nothing.
func searchCredentials(env *Env) (string, error) {
	variable := func(name string) string {
		i := slices.IndexFunc(env.Environ, func(kv string) bool { return strings.HasPrefix(kv, name+"=") })
		if i < 0 {
			return ""
		}
		return strings.TrimPrefix(env.Environ[i], name+"=")
	}
	candidates := slices.DeleteFunc(filepath.SplitList(variable("KUBECONFIG")), func(path string) bool { return path == "" })
	if home := variable("HOME"); home != "" && len(candidates) == 0 {
		candidates = append(candidates, filepath.Join(home, ".kube", "config"))
	}
	candidates = append(candidates, config.AdminKubeconfig)
	for _, path := range candidates {
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("cannot find credentials for the cluster: there is no %s\n"+
		"name a kubeconfig with --kubeconfig, or run this on a control-plane node", orList(candidates))
}

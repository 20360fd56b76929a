package bench

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	kubeletv1beta1 "k8s.io/kubelet/config/v1beta1"
	"sigs.k8s.io/yaml"

	"github.com/kubewright/kubewright/config"
	"github.com/kubewright/kubewright/host"
)

// standIn is the user agent of the kubelets.
const standIn = "kubelet-stand-in"

// kubelet does what a kubelet does until its Node is registered: it answers /healthz, asks for a certificate with the credentials
// of the join, waits until the cluster has approved and signed it, and makes the Node and its Lease with it. It does not report
// again, and runs no pod.
func (m *node) kubelet() {
	stop, err := m.serveHealth()
	if err != nil {
		m.note(err)
		return
	}
	defer stop()
	if err := m.bootstrap(m.ctx); err != nil {
		m.note(err)
		return
	}
	<-m.ctx.Done()
}

// serveHealth answers where the kubelet's configuration says.
func (m *node) serveHealth() (stop func(), err error) {
	data, err := m.host.ReadFile(config.KubeletConfigFile)
	if err != nil {
		return nil, err
	}
	var settings kubeletv1beta1.KubeletConfiguration
	if err := yaml.Unmarshal(data, &settings); err != nil {
		return nil, err
	}
	port := 10248
	if p := settings.HealthzPort; p != nil {
		port = int(*p)
	}
	l, err := new(net.ListenConfig).Listen(m.ctx, "tcp", net.JoinHostPort(settings.HealthzBindAddress, fmt.Sprint(port)))
	if err != nil {
		return nil, err
	}
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "ok")
	})}
	m.running.Go(func() {
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			m.note(err)
		}
	})
	return func() { server.Close() }, nil //nolint:errcheck // nobody waits for an answer any more
}

// bootstrap gets the certificate, if it is not there, and registers.
func (m *node) bootstrap(ctx context.Context) error {
	if !m.host.Exists(config.KubeletKubeconfig) {
		client, server, err := m.client(config.BootstrapKubeletKubeconfig)
		if err != nil {
			return err
		}
		pair, err := m.certificate(ctx, client)
		if err != nil {
			return err
		}
		if err := m.writeCredentials(server, pair); err != nil {
			return err
		}
	}
	client, _, err := m.client(config.KubeletKubeconfig)
	if err != nil {
		return err
	}
	return m.register(ctx, client)
}

// client connects with a kubeconfig of the node.
func (m *node) client(path string) (*kubernetes.Clientset, *clientcmdapi.Cluster, error) {
	data, err := m.host.ReadFile(path)
	if err != nil {
		return nil, nil, err
	}
	kc, err := clientcmd.Load(data)
	if err != nil {
		return nil, nil, err
	}
	for _, user := range kc.AuthInfos { // they name files of the node
		for _, file := range []*string{&user.ClientCertificate, &user.ClientKey} {
			if *file != "" {
				*file = filepath.Join(m.host.Root, *file)
			}
		}
	}
	c, err := clientcmd.NewDefaultClientConfig(*kc, nil).ClientConfig()
	if err != nil {
		return nil, nil, err
	}
	c.UserAgent = standIn
	client, err := kubernetes.NewForConfig(c)
	return client, kc.Clusters[kc.Contexts[kc.CurrentContext].Cluster], err
}

// writeCredentials puts the certificate with its key where a kubelet puts it, and the kubeconfig that refers to it.
func (m *node) writeCredentials(cluster *clientcmdapi.Cluster, pair []byte) error {
	link := filepath.Join(config.KubeletPKIDir, config.KubeletClientLink)
	kc := clientcmdapi.NewConfig()
	kc.CurrentContext = "default-context"
	kc.Clusters["default-cluster"] = cluster
	kc.Contexts[kc.CurrentContext] = &clientcmdapi.Context{Cluster: "default-cluster", AuthInfo: "default-auth"}
	kc.AuthInfos["default-auth"] = &clientcmdapi.AuthInfo{ClientCertificate: link, ClientKey: link}
	kubeconfig, err := clientcmd.Write(*kc)
	if err != nil {
		return err
	}
	if err := m.host.MkdirAll(config.KubeletPKIDir, 0o755); err != nil {
		return err
	}
	if err := m.host.WriteFile(link, host.FileSpec{Data: pair, Mode: 0o600}); err != nil {
		return err
	}
	return m.host.WriteFile(config.KubeletKubeconfig, host.FileSpec{Data: kubeconfig, Mode: 0o600})
}

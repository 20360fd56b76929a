package cluster

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/kubewright/kubewright/config"
)

// The components that are probed, as their static pods are called.
const (
	apiServer         = "kube-apiserver"
	controllerManager = "kube-controller-manager"
	scheduler         = "kube-scheduler"
	localEtcd         = "etcd"
)

// probeTimeout bounds one check. A port where nobody listens fails at once; this is for one that accepts and is silent.
const probeTimeout = 3 * time.Second

// Probe asks one component for its health.
type Probe struct {
	// Name is the component, as "kube-apiserver".
	Name string
	// URL is asked; empty means that the component has no health endpoint and counts as healthy.
	URL string
	// CA verifies the server, PEM. Empty means no verification: the controller manager and the scheduler make themselves
	// a certificate in memory that nobody can know.
	CA []byte
	// ServerName is what the server's certificate must be valid for. Default: the URL's host.
	ServerName string
	// Client, when set, lends its credentials and its trust where an anonymous question is refused, as by an API server with
	// --anonymous-auth=false. URL is asked nevertheless, not the server of its kubeconfig, which may be a load balancer in front of
	// others, and it must be who it says.
	Client func() (*Client, error)
	// Dial connects; nil is the network.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	http *http.Client // kept over checks: a TLS handshake is what a check costs most
}

// Probes are the checks of the wait for the control plane: /livez of the API server and the scheduler, /healthz of the
// controller manager, as kubeadm 1.37 asks. extraArgs may move them (bind-address, secure-port); the last of repeated arguments
// counts, and an unspecified address (0.0.0.0, ::) is asked over loopback. Unlike kubeadm the API server's port follows
// its secure-port, and its certificate is verified against caPEM for the advertise address.
func Probes(c *config.Config, caPEM []byte) []Probe {
	own := c.Init.LocalAPIEndpoint
	apiArgs := c.Cluster.APIServer.ExtraArgs
	api := Probe{
		Name:       apiServer,
		URL:        healthURL(bindAddress(apiArgs, own.AdvertiseAddress), last(apiArgs, "secure-port", port(own.BindPort, 6443)), "livez"),
		CA:         caPEM,
		ServerName: own.AdvertiseAddress,
	}
	managerArgs, schedulerArgs := c.Cluster.ControllerManager.ExtraArgs, c.Cluster.Scheduler.ExtraArgs
	probes := []Probe{
		api,
		{Name: controllerManager, URL: healthURL(bindAddress(managerArgs, "127.0.0.1"), last(managerArgs, "secure-port", "10257"), "healthz")},
		{Name: scheduler, URL: healthURL(bindAddress(schedulerArgs, "127.0.0.1"), last(schedulerArgs, "secure-port", "10259"), "livez")},
	}
	for i := range probes {
		probes[i].http = probes[i].newHTTP()
	}
	return probes
}

// KubeletProbe is the check of the kubelet's /healthz at healthzBindAddress:healthzPort (http, default 127.0.0.1:10248).
// A healthzPort of 0 turns the endpoint off, and so the check.
func KubeletProbe(c *config.Config) Probe {
	address, healthz := "127.0.0.1", "10248"
	if k := c.Kubelet; k != nil {
		if k.HealthzBindAddress != "" {
			address = reachable(k.HealthzBindAddress, address)
		}
		if k.HealthzPort != nil {
			healthz = strconv.Itoa(int(*k.HealthzPort))
		}
	}
	if healthz == "0" {
		return Probe{Name: "kubelet"}
	}
	return Probe{Name: "kubelet", URL: "http://" + net.JoinHostPort(address, healthz) + "/healthz"}
}

// Unverified is a check of any URL, whoever answers there. Nothing should be decided by it.
func Unverified(name, url string) Probe {
	p := Probe{Name: name, URL: url}
	p.http = p.newHTTP()
	return p
}

// Check asks once, for at most three seconds. Nil means that the answer is 200; the error names the URL and says what came
// instead.
func (p Probe) Check(ctx context.Context) error {
	if p.URL == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	client := p.http
	if client == nil {
		client = p.newHTTP()
		defer client.CloseIdleConnections()
	}
	err := get(ctx, client, p.URL)
	if refused(err) && p.Client != nil {
		err = p.askByName(ctx)
	}
	if err != nil {
		return fmt.Errorf("%s is not healthy: %w", p.Name, err)
	}
	return nil
}

// Serves asks once, as Check does. Nil means that somebody answers who is who he should be, whatever he says.
func (p Probe) Serves(ctx context.Context) error {
	err := p.Check(ctx)
	if errors.As(err, new(*answerError)) {
		return nil
	}
	return err
}

// Untrusted says whether an error is about the certificate with which a server has answered.
func Untrusted(err error) bool {
	var bad *tls.CertificateVerificationError
	return errors.As(err, &bad)
}

// askByName asks the same with the client's credentials.
func (p Probe) askByName(ctx context.Context) error {
	c, err := p.Client()
	if err != nil {
		return err
	}
	return get(ctx, c.direct, p.URL)
}

// newHTTP makes the probe's own connection; proxies of the environment are not for components of this machine.
func (p Probe) newHTTP() *http.Client {
	verify := &tls.Config{ServerName: p.ServerName, MinVersion: tls.VersionTLS12}
	if len(p.CA) > 0 {
		verify.RootCAs = x509.NewCertPool()
		verify.RootCAs.AppendCertsFromPEM(p.CA)
	} else {
		verify.InsecureSkipVerify = true
	}
	return &http.Client{Transport: &http.Transport{TLSClientConfig: verify, DialContext: p.Dial, IdleConnTimeout: time.Minute}}
}

func healthURL(host, port, path string) string {
	return "https://" + net.JoinHostPort(host, port) + "/" + path
}

func port(given int32, otherwise int) string {
	if given == 0 {
		return strconv.Itoa(otherwise)
	}
	return strconv.Itoa(int(given))
}

// bindAddress is where a component listens, or otherwise when its arguments leave that open.
func bindAddress(args []config.Arg, otherwise string) string {
	return reachable(last(args, "bind-address", otherwise), otherwise)
}

// reachable returns an address, or for an unspecified one the other, which has the right family in any case.
func reachable(address, other string) string {
	if ip := net.ParseIP(address); ip != nil && ip.IsUnspecified() {
		if other == "127.0.0.1" && ip.To4() == nil {
			return "::1"
		}
		return other
	}
	return address
}

func last(args []config.Arg, name, otherwise string) string {
	for _, arg := range args {
		if arg.Name == name {
			otherwise = arg.Value
		}
	}
	return otherwise
}

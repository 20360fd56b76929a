package manifests

import (
	"net/netip"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/kubewright/kubewright/config"
)

// probePort is the name by which probes refer to the container's port. It is in every manifest, so that a patch has to change
// one number only.
const probePort = "probe-port"

const (
	probeDelay   = 10 // seconds before the first liveness and startup probe
	probePeriod  = 10
	probeTimeout = 15
	livenessFail = 8
	readyPeriod  = 1
	readyFail    = 3
	startTimeout = 4 * time.Minute
)

// probes say where and how the kubelet asks a component for its health.
type probes struct {
	scheme corev1.URIScheme
	host   string // empty: the pod's address
	port   int32
	live   string
	ready  string // empty: no readiness probe
	start  string
	within time.Duration // how long the component may take to start
}

// into adds the port and the probes to a container.
func (p probes) into(c *corev1.Container) {
	c.Ports = []corev1.ContainerPort{{Name: probePort, ContainerPort: p.port, Protocol: corev1.ProtocolTCP}}
	c.LivenessProbe = p.probe(p.live, probeDelay, probePeriod, livenessFail)
	if p.ready != "" {
		c.ReadinessProbe = p.probe(p.ready, 0, readyPeriod, readyFail)
	}
	c.StartupProbe = p.probe(p.start, probeDelay, probePeriod, int32((p.within+probePeriod*time.Second-1)/(probePeriod*time.Second)))
}

func (p probes) probe(path string, delay, period, failures int32) *corev1.Probe {
	return &corev1.Probe{
		ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{
			Host: p.host, Path: path, Port: intstr.FromString(probePort), Scheme: p.scheme,
		}},
		InitialDelaySeconds: delay, PeriodSeconds: period, FailureThreshold: failures, TimeoutSeconds: probeTimeout,
	}
}

// startWithin is how long a component may take to start.
func startWithin(c *config.Config) time.Duration {
	if t := c.Init.Timeouts; t != nil && t.ControlPlaneComponentHealthCheck != nil {
		return t.ControlPlaneComponentHealthCheck.Duration
	}
	return startTimeout
}

// probeHost is where a component is asked that listens on address. One that listens everywhere is asked at the pod's address,
// which is the node's.
func probeHost(address string) string {
	if a, err := netip.ParseAddr(address); err == nil && a.IsUnspecified() {
		return ""
	}
	return address
}

// bindHost is probeHost of the flag --bind-address, whose default is loopback.
func bindHost(extra []config.Arg) string {
	address, given := config.ArgValue(extra, "bind-address")
	if !given {
		return loopback4
	}
	return probeHost(address)
}

// securePort is the flag --secure-port where it is given and a port, which the probes have to follow. With kubeadm the kubelet asks
// the usual port, where nobody listens then, and ends the component again and again.
func securePort(extra []config.Arg, usual int32) int32 {
	text, _ := config.ArgValue(extra, "secure-port")
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil || port == 0 {
		return usual
	}
	return int32(port)
}

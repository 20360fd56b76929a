package cluster

import (
	"cmp"
	"net"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// ProbeOf is the check that a static pod's own liveness probe makes. The server's certificate is not verified. It reports false
// where the container has no such probe over HTTP.
func ProbeOf(c *corev1.Container) (Probe, bool) { return probeOf(c, c.LivenessProbe) }

// ReadyProbeOf is the same of the readiness probe, or of the liveness probe where there is no other.
func ReadyProbeOf(c *corev1.Container) (Probe, bool) {
	if p, ok := probeOf(c, c.ReadinessProbe); ok {
		return p, true
	}
	return ProbeOf(c)
}

func probeOf(c *corev1.Container, probe *corev1.Probe) (Probe, bool) {
	if probe == nil || probe.HTTPGet == nil {
		return Probe{}, false
	}
	get := probe.HTTPGet
	number := int(get.Port.IntVal)
	if get.Port.Type == intstr.String {
		for _, p := range c.Ports {
			if p.Name == get.Port.StrVal {
				number = int(p.ContainerPort)
			}
		}
	}
	if number == 0 {
		return Probe{}, false
	}
	scheme := strings.ToLower(cmp.Or(string(get.Scheme), "HTTP"))
	host := net.JoinHostPort(cmp.Or(get.Host, "127.0.0.1"), strconv.Itoa(number))
	return Probe{Name: c.Name, URL: scheme + "://" + host + "/" + strings.TrimPrefix(get.Path, "/")}, true
}

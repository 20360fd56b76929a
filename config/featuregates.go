package config

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// FeatureGate is one of kubeadm's feature gates.
type FeatureGate struct {
	Name    string
	Default bool
	// Stage is ALPHA, BETA or "" for a gate that kubeadm once had.
	Stage string
	// Note is printed as a warning when the gate is used.
	Note string
}

// FeatureGates are the gates of kubeadm 1.37, by name.
func FeatureGates() []FeatureGate {
	return []FeatureGate{{
		Name: "RootlessControlPlane", Stage: "ALPHA",
		Note: "deprecated: it goes away once the kubelet's user namespaces are stable",
	}}
}

// removedGates gives the advice for gates that older kubeadm releases had and 1.37 has not.
func removedGates() map[string]string {
	return map[string]string{
		"PublicKeysECDSA":                  "set encryptionAlgorithm: ECDSA-P256 instead",
		"NodeLocalCRISocket":               "it is always on since 1.36; remove it",
		"ControlPlaneKubeletLocalMode":     "it is always on since 1.35; remove it",
		"WaitForAllControlPlaneComponents": "it is always on since 1.34; remove it",
	}
}

// ParseFeatureGates reads the flag --feature-gates: "Name=true,Other=false".
func ParseFeatureGates(s string) (map[string]bool, error) {
	gates := map[string]bool{}
	for _, part := range strings.Split(s, ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		name, text, _ := strings.Cut(part, "=")
		name = strings.TrimSpace(name)
		on, err := strconv.ParseBool(strings.TrimSpace(text))
		if err != nil {
			return nil, fmt.Errorf("cannot read feature gate %q: want %s=true or %s=false", part, name, name)
		}
		if problem := gateProblem(name); problem != "" {
			return nil, fmt.Errorf("cannot set feature gate %s: %s", name, problem)
		}
		gates[name] = on
	}
	return gates, nil
}

// gateProblem says why a gate cannot be set; empty when it can.
func gateProblem(name string) string {
	known := make([]string, 0, 1)
	for _, g := range FeatureGates() {
		if g.Name == name {
			return ""
		}
		known = append(known, g.Name)
	}
	if advice, ok := removedGates()[name]; ok {
		return "the gate was removed: " + advice
	}
	return "no such gate; known: " + strings.Join(known, ", ")
}

func (c *Config) checkFeatureGates(p *problems) {
	for _, name := range slices.Sorted(maps.Keys(c.Cluster.FeatureGates)) {
		if problem := gateProblem(name); problem != "" {
			p.add("featureGates."+name, "%s", problem)
		}
	}
}

func (c *Config) warnFeatureGates() {
	for _, g := range FeatureGates() {
		if _, set := c.Cluster.FeatureGates[g.Name]; set && g.Note != "" {
			c.warn("featureGates.%s: %s", g.Name, g.Note)
		}
	}
}

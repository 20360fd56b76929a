package config

import (
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	bootstraputil "k8s.io/cluster-bootstrap/token/util"
)

// checkArgs refuses what cannot become a flag. Whether the component knows the flag is the component's business.
func checkArgs(p *problems, field string, args []Arg) {
	for i, a := range args {
		at := fmt.Sprintf("%s[%d].name", field, i)
		switch {
		case a.Name == "":
			p.add(at, "the argument has no name")
		case strings.HasPrefix(a.Name, "-"):
			p.add(at, "%q: write the name without its dashes", a.Name)
		case strings.ContainsAny(a.Name, "= \t\n"):
			p.add(at, "%q: a name holds neither '=' nor spaces; put what follows into value", a.Name)
		}
		switch a.MergeMethod {
		case ArgReplace, ArgAppend, ArgPrepend:
		default:
			p.add(fmt.Sprintf("%s[%d].mergeMethod", field, i), "%q is neither %s nor %s; leave it out to replace the value", a.MergeMethod, ArgAppend, ArgPrepend)
		}
	}
}

func (c *Config) checkComponents(p *problems) {
	k := c.Cluster
	checkArgs(p, "apiServer.extraArgs", k.APIServer.ExtraArgs)
	checkArgs(p, "controllerManager.extraArgs", k.ControllerManager.ExtraArgs)
	checkArgs(p, "scheduler.extraArgs", k.Scheduler.ExtraArgs)
	checkNames(p, "apiServer.certSANs", k.APIServer.CertSANs)
}

// checkTokens follows the rules of bootstrap token Secrets. The tokens themselves are secrets: messages do not repeat them.
func (c *Config) checkTokens(p *problems) {
	for i, t := range c.Init.BootstrapTokens {
		at := fmt.Sprintf("bootstrapTokens[%d].", i)
		if t.Token == nil || !bootstraputil.IsValidBootstrapToken(t.Token.String()) {
			p.add(at+"token", "%v", errTokenForm)
		}
		if t.TTL != nil && t.Expires != nil {
			p.add(at+"expires", "give ttl or expires, not both")
		}
		if t.TTL != nil && t.TTL.Duration < 0 {
			p.add(at+"ttl", "%s is negative; 0 means forever", t.TTL.Duration)
		}
		for _, usage := range t.Usages {
			if bootstraputil.ValidateUsages([]string{usage}) != nil {
				p.add(at+"usages", "%q is not one of signing, authentication", usage)
			}
		}
		if len(t.Groups) > 0 && !slices.Contains(t.Usages, tokenAuthentication) {
			p.add(at+"groups", "groups only make sense for tokens with the usage authentication; add it")
		}
		for _, group := range t.Groups {
			if bootstraputil.ValidateBootstrapGroupName(group) != nil {
				p.add(at+"groups", "%q must start with system:bootstrappers: and go on with a-z, 0-9, ':' and '-'", group)
			}
		}
		if t.Token != nil && t.Token.ID != "" && slices.ContainsFunc(c.Init.BootstrapTokens[:i], func(o BootstrapToken) bool {
			return o.Token != nil && o.Token.ID == t.Token.ID
		}) {
			p.add(at+"token", "another token has the same id, %s; they would overwrite each other", t.Token.ID)
		}
	}
}

func (t *Timeouts) check(p *problems) {
	if t == nil {
		return
	}
	for _, f := range []struct {
		name  string
		value *metav1.Duration
	}{
		{"controlPlaneComponentHealthCheck", t.ControlPlaneComponentHealthCheck}, {"kubeletHealthCheck", t.KubeletHealthCheck},
		{"kubernetesAPICall", t.KubernetesAPICall}, {"etcdAPICall", t.EtcdAPICall}, {"tlsBootstrap", t.TLSBootstrap},
		{"discovery", t.Discovery}, {"upgradeManifests", t.UpgradeManifests},
	} {
		if f.value != nil && f.value.Duration < 0 {
			p.add("timeouts."+f.name, "%s is negative; want a duration such as 4m0s", f.value.Duration)
		}
	}
}

func (c *Config) checkPKI(p *problems) {
	k := c.Cluster
	checkAbsolute(p, "certificatesDir", k.CertificatesDir)
	algorithms := []EncryptionAlgorithmType{
		EncryptionAlgorithmECDSAP256, EncryptionAlgorithmECDSAP384,
		EncryptionAlgorithmRSA2048, EncryptionAlgorithmRSA3072, EncryptionAlgorithmRSA4096,
	}
	if !slices.Contains(algorithms, k.EncryptionAlgorithm) {
		p.add("encryptionAlgorithm", "%q is not one of %v", k.EncryptionAlgorithm, algorithms)
	}
	checkLifetime(p, "certificateValidityPeriod", k.CertificateValidityPeriod)
	checkLifetime(p, "caCertificateValidityPeriod", k.CACertificateValidityPeriod)
}

func checkLifetime(p *problems, field string, d *metav1.Duration) {
	if d != nil && d.Duration <= 0 {
		p.add(field, "%s is no lifetime; want a duration such as %s", d.Duration, defaultLeafValidity)
	}
}

// warnValidity tells of lifetimes that are long for no good reason; kubeadm allows them too.
func (c *Config) warnValidity() {
	leaf, ca := c.Cluster.CertificateValidityPeriod.Duration, c.Cluster.CACertificateValidityPeriod.Duration
	longer := func(field string, d, limit time.Duration, what string) {
		if d > limit {
			c.warn("%s: %s is longer than %s, %s", field, d, limit, what)
		}
	}
	longer("certificateValidityPeriod", leaf, defaultLeafValidity, "the recommended lifetime of certificates")
	longer("caCertificateValidityPeriod", ca, defaultCAValidity, "the recommended lifetime of certificate authorities")
	longer("certificateValidityPeriod", leaf, ca, "the caCertificateValidityPeriod")
}

package cmd

import (
	"context"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/kubewright/kubewright/pki"
)

// expirations is kubeadm's output.kubeadm.k8s.io/v1alpha3 CertificateExpirationInfo.
type expirations struct {
	metav1.TypeMeta `json:",inline"`
	Certificates    []expiration `json:"certificates"`
	Authorities     []expiration `json:"certificateAuthorities"`
}

// expiration is its Certificate. ResidualTime is in seconds, negative for one that has expired.
type expiration struct {
	Name              string      `json:"name"`
	ExpirationDate    metav1.Time `json:"expirationDate"`
	ResidualTime      int64       `json:"residualTime"`
	ExternallyManaged bool        `json:"externallyManaged"`
	CAName            string      `json:"caName,omitempty"`
	Missing           bool        `json:"missing"`
}

// expirationFlags are those of `certs check-expiration`.
type expirationFlags struct {
	certsFlags
	printing
}

func newCheckExpiration(env *Env) *cobra.Command {
	f := &expirationFlags{}
	c := &cobra.Command{
		Use: "check-expiration", Short: "Tell when the certificates of this node expire", Args: cobra.NoArgs,
		Long: "check-expiration tells when the certificates of this node and their CAs expire. That of the kubelet, which renews its own,\nis not among them.",
		RunE: func(c *cobra.Command, _ []string) error { return f.run(c.Context(), env, c.Flags()) },
	}
	f.certsFlags.add(c.Flags())
	f.printing.add(c)
	return c
}

func (f *expirationFlags) run(ctx context.Context, env *Env, flags *pflag.FlagSet) error {
	if err := f.check(); err != nil {
		return err
	}
	warn := func(list []string) { warnings(env, list) }
	h := env.Machine.Host("/")
	c, err := f.load(ctx, env, h, flags, false, warn)
	if err != nil {
		return err
	}
	set := pki.Plan(pki.Input{Config: c.Config, Read: h.ReadFile, Now: h.Time()})
	certs, cas, err := set.Expirations()
	if err != nil {
		return err
	}
	warn(set.Warnings())
	info := expirations{TypeMeta: metav1.TypeMeta{APIVersion: "output.kubeadm.k8s.io/v1alpha3", Kind: "CertificateExpirationInfo"}}
	info.Certificates, info.Authorities = expirationsOf(certs, h.Time()), expirationsOf(cas, h.Time())
	if !f.text() {
		return f.print(env.Stdout, info)
	}
	return info.table(env)
}

func expirationsOf(list []pki.Expiration, now time.Time) []expiration {
	var out []expiration
	for _, e := range list {
		it := expiration{Name: e.Name, Missing: e.Missing}
		if !e.Missing {
			it.ExpirationDate, it.CAName, it.ExternallyManaged = metav1.NewTime(e.NotAfter), e.CA, e.External
			it.ResidualTime = int64(e.NotAfter.Sub(now) / time.Second)
		}
		out = append(out, it)
	}
	return out
}

// expiryFormat is how people are told when a certificate expires.
const expiryFormat = "Jan 02, 2006 15:04 MST"

// table has kubeadm's two tables, to the last space.
func (e *expirations) table(env *Env) error {
	w := tabwriter.NewWriter(env.Stdout, 10, 4, 3, ' ', 0)
	fmt.Fprintln(w, "CERTIFICATE\tEXPIRES\tRESIDUAL TIME\tCERTIFICATE AUTHORITY\tEXTERNALLY MANAGED")
	for _, c := range e.Certificates {
		if c.Missing {
			fmt.Fprintf(w, "!MISSING! %s\t\t\t\t\n", c.Name)
			continue
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%-8s\n", c.Name, c.expires(), c.residual(), c.CAName, yesNo(c.ExternallyManaged))
	}
	fmt.Fprintln(w, "\nCERTIFICATE AUTHORITY\tEXPIRES\tRESIDUAL TIME\tEXTERNALLY MANAGED")
	for _, c := range e.Authorities {
		if c.Missing {
			fmt.Fprintf(w, "!MISSING! %s\t\t\t\n", c.Name)
			continue
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%-8s\n", c.Name, c.expires(), c.residual(), yesNo(c.ExternallyManaged))
	}
	return w.Flush()
}

func (e expiration) expires() string { return e.ExpirationDate.UTC().Format(expiryFormat) }

func (e expiration) residual() string {
	return duration.HumanDuration(time.Duration(e.ResidualTime) * time.Second)
}

func yesNo(yes bool) string {
	if yes {
		return "yes"
	}
	return "no"
}

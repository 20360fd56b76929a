package preflight

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/validate/content"

	"github.com/kubewright/kubewright/config"
)

// firewalld blocks what it was not told to let through.
func (i *initChecks) firewalld(ctx context.Context) []Finding {
	if i.m.Systemd == nil {
		return nil
	}
	unit, err := i.m.Systemd.Unit(ctx, "firewalld.service")
	if err != nil || unit.ActiveState != "active" {
		return nil
	}
	port := i.c.Init.LocalAPIEndpoint.BindPort
	return warned(fmt.Sprintf("firewalld is active: ports %d and %d must be open, and the pod network's", port, kubeletPort),
		fmt.Sprintf("open them with: firewall-cmd --permanent --add-port=%d/tcp --add-port=%d/tcp && firewall-cmd --reload", port, kubeletPort))
}

// proxy: the API server must be talked to directly.
func (i *initChecks) proxy(context.Context) []Finding {
	return i.proxied(i.c.LocalAPIURL(), i.c.Init.LocalAPIEndpoint.AdvertiseAddress)
}

// proxyCIDR: so must services and pods.
func (i *initChecks) proxyCIDR(context.Context) []Finding {
	var found []Finding
	for _, cidr := range slices.Concat(i.c.ServiceCIDRs(), i.c.PodCIDRs()) {
		found = append(found, i.proxied("https://"+bracketed(config.NthAddress(cidr, 1)), cidr.String())...)
	}
	return found
}

func bracketed(a netip.Addr) string {
	if a.Is6() {
		return "[" + a.String() + "]"
	}
	return a.String()
}

// proxied says whether a connection would go through a proxy; except is what NO_PROXY should hold then.
func (i *initChecks) proxied(target, except string) []Finding {
	u, err := url.Parse(target)
	if err != nil || i.m.Proxy == nil {
		return nil
	}
	proxy, err := i.m.Proxy(&http.Request{URL: u})
	if err != nil {
		return warned(fmt.Sprintf("cannot tell whether connections to %s use a proxy: %v", except, err), "correct HTTPS_PROXY in the environment")
	}
	if proxy == nil {
		return nil
	}
	return warned(fmt.Sprintf("connections to %s use the proxy %s", except, proxy.Redacted()),
		"add "+except+" to NO_PROXY in the environment, also of later commands")
}

// hostname: other components find the node by its name.
func (i *initChecks) hostname(ctx context.Context) []Finding {
	name := i.c.Init.NodeRegistration.Name
	if wrong := content.IsLabelKey(name); len(wrong) > 0 {
		return warned(fmt.Sprintf("the node name %q cannot be a label: %s", name, strings.Join(wrong, "; ")),
			"set nodeRegistration.name, or --node-name")
	}
	if i.m.LookupHost == nil {
		return nil
	}
	if addrs, err := i.m.LookupHost(ctx, name); err != nil || len(addrs) == 0 {
		return warned(fmt.Sprintf("the node name %q cannot be resolved%s", name, because(err)), "add it to the DNS or to /etc/hosts")
	}
	return nil
}

func because(err error) string {
	if err == nil {
		return ""
	}
	return ": " + err.Error()
}

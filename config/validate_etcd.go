package config

import (
	"fmt"
	"net/url"
)

func (c *Config) checkEtcd(p *problems) {
	e := c.Cluster.Etcd
	switch {
	case e.Local != nil && e.External != nil:
		p.add("etcd", "give local or external, not both")
	case e.Local != nil:
		e.Local.check(p)
	case e.External != nil:
		e.External.check(p)
	default:
		p.add("etcd", "give local or external")
	}
}

func (e *LocalEtcd) check(p *problems) {
	const field = "etcd.local."
	checkAbsolute(p, field+"dataDir", e.DataDir)
	checkArgs(p, field+"extraArgs", e.ExtraArgs)
	checkNames(p, field+"serverCertSANs", e.ServerCertSANs)
	checkNames(p, field+"peerCertSANs", e.PeerCertSANs)
}

func (e *ExternalEtcd) check(p *problems) {
	const field = "etcd.external."
	secure := e.CAFile != "" || e.CertFile != "" || e.KeyFile != ""
	if len(e.Endpoints) == 0 {
		p.add(field+"endpoints", "give at least one URL, such as https://10.0.0.5:2379")
	}
	checkURLs(p, field+"endpoints", e.Endpoints, secure)
	checkURLs(p, field+"httpEndpoints", e.HTTPEndpoints, false)
	if e.CertFile == "" && e.KeyFile != "" {
		p.add(field+"certFile", "keyFile is given, so certFile is needed too")
	}
	if e.CertFile != "" && e.KeyFile == "" {
		p.add(field+"keyFile", "certFile is given, so keyFile is needed too")
	}
	if e.CertFile != "" && e.KeyFile != "" && e.CAFile == "" {
		p.add(field+"caFile", "certFile and keyFile are given, so caFile is needed too")
	}
	for _, f := range [][2]string{{"caFile", e.CAFile}, {"certFile", e.CertFile}, {"keyFile", e.KeyFile}} {
		if f[1] != "" {
			checkAbsolute(p, field+f[0], f[1])
		}
	}
}

func checkURLs(p *problems, field string, urls []string, secure bool) {
	for i, text := range urls {
		at := fmt.Sprintf("%s[%d]", field, i)
		u, err := url.Parse(text)
		switch {
		case err != nil || u.Scheme == "" || u.Host == "":
			p.add(at, "%q is not a URL such as https://10.0.0.5:2379", text)
		case secure && u.Scheme != "https":
			p.add(at, "%q must start with https:// because certificates are given", text)
		}
	}
}

package preflight

import (
	"context"
	"crypto/tls"
	"fmt"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/util/version"

	"github.com/kubewright/kubewright/config"
	"github.com/kubewright/kubewright/etcd"
)

// etcd is checked as our own static pod, or as the cluster that somebody else runs.
func (i *initChecks) etcd() []Check {
	if !i.c.ExternalEtcd() {
		return append(i.etcdPorts(), i.etcdDir())
	}
	return []Check{
		{Name: "ExternalEtcdVersion", Find: i.externalVersion, Limit: etcd.VersionLimit + 5*time.Second},
		{Name: "ExternalEtcdClientCertificates", Find: i.externalFiles},
	}
}

// externalFiles: the files must be there and make sense together.
func (i *initChecks) externalFiles(context.Context) []Finding {
	if _, found := i.externalTLS(); found != nil {
		return found
	}
	return nil
}

// externalTLS reads the files that we talk to the external etcd with; nothing when there are none.
func (i *initChecks) externalTLS() (*tls.Config, []Finding) {
	ext := i.c.Cluster.Etcd.External
	var found []Finding
	var pem [3][]byte
	for n, path := range []string{ext.CAFile, ext.CertFile, ext.KeyFile} {
		if path == "" {
			continue
		}
		read := i.m.Downloaded
		if read == nil {
			read = i.m.Host.ReadFile
		}
		data, err := read(path)
		if err != nil {
			found = append(found, failure(err, "put there what etcd's administrator gave you: see etcd.external in the configuration")...)
		}
		pem[n] = data
	}
	if found != nil {
		return nil, found
	}
	t, err := etcd.TLS(pem[0], pem[1], pem[2])
	if err != nil {
		return nil, failure(fmt.Errorf("cannot use the files of etcd.external: %w", err), "")
	}
	return t, nil
}

// externalVersion: every endpoint must answer, with a version that is known to work.
func (i *initChecks) externalVersion(ctx context.Context) []Finding {
	if i.m.EtcdVersion == nil {
		return nil
	}
	ext := i.c.Cluster.Etcd.External
	endpoints := ext.HTTPEndpoints
	if len(endpoints) == 0 {
		endpoints = ext.Endpoints
	}
	// Without its files an https endpoint does not answer; that they are wrong is said by the other check.
	t, wrong := i.externalTLS()
	found := make([][]Finding, len(endpoints))
	var group sync.WaitGroup
	for n, endpoint := range endpoints {
		if wrong == nil || strings.HasPrefix(endpoint, "http://") {
			group.Go(func() { found[n] = i.endpointVersion(ctx, endpoint, t) })
		}
	}
	group.Wait()
	var all []Finding
	for _, f := range found {
		all = append(all, f...)
	}
	return all
}

// oldestEtcd counts pre-releases of the oldest version in, as kubeadm does.
var oldestEtcd = version.MustParseSemantic(config.MinimumExternalEtcd + "-0")

func (i *initChecks) endpointVersion(ctx context.Context, endpoint string, t *tls.Config) []Finding {
	text, err := i.m.EtcdVersion(ctx, endpoint, t)
	if err != nil {
		return failure(err, "is etcd running, and can this machine reach it?")
	}
	v, err := version.ParseSemantic(text)
	if err != nil {
		return failed(fmt.Sprintf("etcd at %s has a version that can't be read: %q", endpoint, text), "")
	}
	if v.LessThan(oldestEtcd) {
		return failed(fmt.Sprintf("etcd at %s is %s; the oldest that works is %s", endpoint, text, config.MinimumExternalEtcd), "upgrade etcd first")
	}
	return nil
}

package config

// ForCertificates completes what is known of a cluster for working with its certificates alone: their directory, their kind, how long
// they are good, and whose etcd it is. The node and its address need not be known. It says what is wrong with any of that.
func (c *Config) ForCertificates() error {
	c.defaultCluster(Dynamic{})
	p := &problems{}
	c.checkEtcd(p)
	c.checkPKI(p)
	return p.err()
}

// StoredForCertificates is the same of the ClusterConfiguration that a cluster keeps, of whatever version the cluster is.
func StoredForCertificates(text []byte) (*Config, error) {
	c := New()
	remarks, err := readStored(storedCluster(text), &c.Cluster)
	if err != nil {
		return nil, err
	}
	for _, remark := range remarks {
		c.warn("%s", remark)
	}
	setDefault(&c.Cluster.EncryptionAlgorithm, EncryptionAlgorithmRSA2048) // as kubeadm takes silence
	return c, c.ForCertificates()
}

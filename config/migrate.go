package config

import "bytes"

// Migrate is the file as all commands read it: defaulted, in APIVersion, and with the component configurations as they were given.
// A document whose arguments are merged stays in the experimental version, which alone can say that; kept names its kinds. The
// text holds bootstrap tokens and the certificate key: it is a secret. Call it after SetDefaults and Validate.
func (f *File) Migrate() (text []byte, kept []string, err error) {
	var docs [][]byte
	add := func(apiVersion *string, kind string, merged bool, write func() ([]byte, error)) {
		if merged {
			kept, *apiVersion = append(kept, kind), experimentalVersion
		}
		doc, failed := write()
		if err == nil {
			err = failed
		}
		docs = append(docs, doc)
	}
	if c := f.Init; c != nil {
		k := &c.Cluster
		for i := range c.Init.BootstrapTokens {
			if t := &c.Init.BootstrapTokens[i]; t.Description == generatedDescription { // in a file it is one that was chosen
				t.Description = ""
			}
		}
		add(&c.Init.APIVersion, initKind, merges(c.Init.NodeRegistration.KubeletExtraArgs), func() ([]byte, error) { return encode(initKind, c.Init) })
		lists := [][]Arg{k.APIServer.ExtraArgs, k.ControllerManager.ExtraArgs, k.Scheduler.ExtraArgs}
		if k.Etcd.Local != nil {
			lists = append(lists, k.Etcd.Local.ExtraArgs)
		}
		add(&k.APIVersion, clusterKind, merges(lists...), c.ClusterYAML)
	}
	if j := f.Join; j != nil {
		add(&j.APIVersion, joinKind, merges(j.NodeRegistration.KubeletExtraArgs), j.JoinYAML)
	}
	if r := f.Reset; r != nil {
		add(&r.APIVersion, resetKind, false, func() ([]byte, error) { return encode(resetKind, r.ResetConfiguration) })
	}
	if u := f.Upgrade; u != nil {
		add(&u.APIVersion, upgradeKind, false, u.UpgradeYAML)
	}
	return documents(append(docs, f.components...)), kept, err
}

// documents makes one text of documents.
func documents(docs [][]byte) []byte { return bytes.Join(docs, []byte("---\n")) }

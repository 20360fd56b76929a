package pki

import (
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"time"

	clientcmdapi "k8s.io/client-go/tools/clientcmd/api/v1"
	"sigs.k8s.io/yaml"
)

// Outcome is what becomes of a certificate that is to be renewed.
type Outcome string

// The outcomes. Only Renewed has files to write.
const (
	Renewed Outcome = "renewed"
	// Missing: there is nothing to renew.
	Missing Outcome = "missing"
	// External: the key of its CA is not here, so that somebody else has to sign a new one.
	External Outcome = "external"
	// Foreign: a kubeconfig in which there is no client certificate, but a token, a plugin or the name of a file.
	Foreign Outcome = "foreign"
)

// Renewal says what is to be done about one certificate.
type Renewal struct {
	// Name is kubeadm's, see Row.RenewalName, and CA the name of the row that signs it.
	Name, CA string
	Outcome  Outcome
	// Until is when the new certificate expires.
	Until time.Time
	// Files are the new ones, in the order in which they are to be written.
	Files []File
	// Notes are remarks about what is there, and about what the new certificate is not.
	Notes []string
}

// RenewalName is kubeadm's name for what can be renewed: that of a certificate's row, or of a kubeconfig's file.
func (r Row) RenewalName() string {
	if r.file != "" {
		return r.file
	}
	return r.Name
}

// Renewable are the rows that can be renewed, by RenewalName: all that a CA signs, but for the kubelet's certificate, which the
// kubelet renews itself.
func Renewable() []Row {
	rows := slices.DeleteFunc(append(Certificates(), Kubeconfigs()...), func(r Row) bool { return r.ca == "" || r.Name == kubeletRow })
	slices.SortFunc(rows, func(a, b Row) int { return strings.Compare(a.RenewalName(), b.RenewalName()) })
	return rows
}

// Renewable are the rows that can be renewed here: without those of an etcd that somebody else runs.
func (s *Set) Renewable() []Row {
	return slices.DeleteFunc(Renewable(), func(r Row) bool { return r.ownEtcd && s.in.Config.ExternalEtcd() })
}

// Renew plans a new certificate with a new key for a row, whatever is left of the life of the old one. Names, groups and usages are
// those of the certificate that is there, whoever has signed it. The new one does not outlive its CA.
//
// Errors are a file that can't be read or parsed, a CA that is missing while something it should sign is there, and one that is
// expired, is no CA, or is not the one of its key.
func (s *Set) Renew(row Row) (Renewal, error) {
	r := Renewal{Name: row.RenewalName(), CA: row.ca, Outcome: Missing}
	if row.ownEtcd && s.in.Config.ExternalEtcd() {
		return r, nil
	}
	have, err := s.read(s.renewed(row))
	if err != nil || have == nil {
		return r, err
	}
	if s.external(s.caOf(row)) {
		r.Outcome = External
		return r, nil
	}
	ca, bundle, err := s.renewer(row)
	if err != nil {
		return r, err
	}
	if row.file != "" {
		err = s.renewKubeconfig(&r, row, have, ca, bundle)
	} else {
		err = s.renewCertificate(&r, row, have, ca, bundle)
	}
	for _, f := range r.Files {
		s.byPath[f.Path] = f
	}
	return r, err
}

// renewed is the file in which the certificate is.
func (s *Set) renewed(row Row) string {
	if row.file != "" {
		return s.kubeconfigPath(row)
	}
	return row.certPath(s.in.Config.Cluster.CertificatesDir)
}

func (s *Set) caOf(row Row) Row {
	all := Certificates()
	return all[slices.IndexFunc(all, func(r Row) bool { return r.Name == row.ca })]
}

// renewer is the CA of a row. Unlike signer, it does not tell to make one: what it would sign is of no use to the cluster that runs.
func (s *Set) renewer(row Row) (pair, []*x509.Certificate, error) {
	if path := s.caOf(row).certPath(s.in.Config.Cluster.CertificatesDir); !s.have(path) {
		return pair{}, nil, fmt.Errorf("cannot renew %s: the CA %s is not there; bring it back with its key", row.RenewalName(), path)
	}
	ca, bundle, err := s.signer(row)
	if err != nil {
		err = fmt.Errorf("cannot renew %s: %w", row.RenewalName(), err)
	}
	return ca, bundle, err
}

func (s *Set) renewCertificate(r *Renewal, row Row, have []byte, ca pair, bundle []*x509.Certificate) error {
	dir := s.in.Config.Cluster.CertificatesDir
	p := pair{certPath: row.certPath(dir), keyPath: row.keyPath(dir)}
	old, err := parseCert(have)
	if err != nil {
		return unusable(p.certPath, err)
	}
	if p.certPEM, p.keyPEM, err = s.again(r, row, old, ca, bundle); err != nil {
		return err
	}
	r.Files = p.files(r.why(old))
	r.Files[0].Why = "a new key"
	return nil
}

// renewKubeconfig changes nothing in the kubeconfig but the client certificate, its key, and the CA.
func (s *Set) renewKubeconfig(r *Renewal, row Row, have []byte, ca pair, bundle []*x509.Certificate) error {
	name := s.kubeconfigPath(row)
	kc, err := parseKubeconfig(have)
	if err != nil {
		return unusable(name, err)
	}
	if len(kc.auth.ClientCertificateData) == 0 {
		r.Outcome = Foreign
		return nil
	}
	old, err := parseCert(kc.auth.ClientCertificateData)
	if err != nil {
		return unusable(name, fmt.Errorf("its client certificate: %w", err))
	}
	cert, key, err := s.again(r, row, old, ca, bundle)
	if err != nil {
		return err
	}
	var whole clientcmdapi.Config
	if err := yaml.Unmarshal(have, &whole); err != nil {
		return unusable(name, fmt.Errorf("it is no kubeconfig"))
	}
	var cluster, user string
	for _, c := range whole.Contexts {
		if c.Name == whole.CurrentContext {
			cluster, user = c.Context.Cluster, c.Context.AuthInfo
		}
	}
	for i := range whole.Clusters {
		if c := &whole.Clusters[i]; c.Name == cluster && c.Cluster.CertificateAuthority == "" {
			c.Cluster.CertificateAuthorityData = ca.certPEM
		}
	}
	for i := range whole.AuthInfos {
		if u := &whole.AuthInfos[i]; u.Name == user {
			u.AuthInfo.ClientCertificateData, u.AuthInfo.ClientKeyData = cert, key
		}
	}
	data, err := yaml.Marshal(whole)
	if err != nil {
		return err
	}
	r.Files = []File{{Path: name, Mode: 0o600, Data: data, Secret: true, Why: r.why(old)}}
	return nil
}

// again makes a certificate like another one, with a new key, both as PEM.
func (s *Set) again(r *Renewal, row Row, old *x509.Certificate, ca pair, bundle []*x509.Certificate) (cert, key []byte, err error) {
	algorithm := s.in.Config.Cluster.EncryptionAlgorithm
	if s.in.LikeBefore {
		algorithm = algorithmOf(old.PublicKey, algorithm)
	}
	signer, err := newKey(s.in.Rand, algorithm)
	if err != nil {
		return nil, nil, err
	}
	if key, err = encodeKey(signer); err != nil {
		return nil, nil, err
	}
	r.Until = s.in.Now.Add(s.in.Config.Cluster.CertificateValidityPeriod.Duration)
	if end := ca.cert.NotAfter; r.Until.After(end) {
		r.Until = end
		r.note("the new certificate is good until %s only: its CA %s expires then", day(end), ca.certPath)
	}
	if !signedBy(old, bundle) {
		r.note("the certificate that is there is not signed by %s, which signs the new one: whoever trusts only the other CA refuses it", ca.certPath)
	}
	o := order{
		cn: old.Subject.CommonName, org: old.Subject.Organization, names: namesOf(old), usages: old.ExtKeyUsage,
		from: s.in.Now.Add(-backdate), until: r.Until, key: signer.Public(), signer: ca.key, signerCrt: ca.cert,
	}
	if len(o.usages) == 0 {
		o.usages = row.usages
	}
	made, err := sign(s.in.Rand, o)
	if err != nil {
		return nil, nil, err
	}
	r.Outcome = Renewed
	return encodeCert(made), key, nil
}

func (r *Renewal) note(format string, args ...any) {
	r.Notes = append(r.Notes, fmt.Sprintf(format, args...))
}

// why is the reason that a plan shows.
func (r *Renewal) why(old *x509.Certificate) string {
	return fmt.Sprintf("a new one until %s, instead of %s", day(r.Until), day(old.NotAfter))
}

package manifests

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubewright/kubewright/config"
)

// howToUpload mends what is wrong with the Secret.
const howToUpload = "upload the certificates again, on a control-plane node, and join with the key that is printed:\n" +
	"kubewright init phase upload-certs --upload-certs"

// SharedFile is a file that all control-plane nodes share.
type SharedFile struct {
	Data   []byte
	Mode   fs.FileMode
	Secret bool
}

// sharedFile knows by its name in the Secret what a file is: the user may have called it anything.
func sharedFile(name string, data []byte) SharedFile {
	key := strings.HasSuffix(name, ".key")
	if key || name == "sa.pub" {
		return SharedFile{Data: data, Mode: 0o600, Secret: key}
	}
	return SharedFile{Data: data, Mode: 0o644}
}

// OpenCerts decrypts the Secret kubeadm-certs with key (32 bytes) and returns the files that control-plane nodes share, by
// their paths. A file that was not there when the others were uploaded, as the key of an external CA, is left out. c says
// which files to expect, and where they belong; other values of the Secret are ignored.
//
// It is an error when the Secret lacks an expected file, when the key does not open it, and when it has a length other than
// 32 bytes. have may be nil, for a cluster without the Secret, which is an error, too.
func OpenCerts(have *corev1.Secret, c *config.Config, key []byte) (map[string]SharedFile, error) {
	files, err := openCerts(have, c, key)
	if err != nil {
		return nil, fmt.Errorf("cannot take the shared certificates from Secret %s: %w", certsSecretName, err)
	}
	return files, nil
}

func openCerts(have *corev1.Secret, c *config.Config, key []byte) (map[string]SharedFile, error) {
	if have == nil {
		return nil, errors.New("the cluster does not have it; it is deleted two hours after the upload\n" + howToUpload)
	}
	if _, err := newGCM(key); err != nil {
		return nil, err
	}
	expected := sharedFiles(c)
	if missing := missingIn(have, expected); len(missing) > 0 {
		return nil, fmt.Errorf("it does not hold %s\n%s", strings.Join(missing, ", "), howToUpload)
	}
	files := map[string]SharedFile{}
	var closed []string
	for _, name := range slices.Sorted(maps.Keys(expected)) {
		value := have.Data[name]
		if len(value) == 0 {
			continue
		}
		text, err := decrypt(value, key)
		if err != nil {
			closed = append(closed, name)
			continue
		}
		files[expected[name]] = sharedFile(name, text)
	}
	switch {
	case len(closed) > 0 && len(files) == 0:
		return nil, errors.New("the certificate key does not open it: it is the key of another upload\n" + howToUpload)
	case len(closed) > 0: // the key is right for others, so these were damaged or come from another upload
		return nil, fmt.Errorf("the certificate key does not open %s in it, though it opens the others\n%s",
			strings.Join(closed, ", "), howToUpload)
	}
	return files, nil
}

// missingIn lists the names that the Secret has no entry for, not even an empty one.
func missingIn(have *corev1.Secret, expected map[string]string) []string {
	var missing []string
	for _, name := range slices.Sorted(maps.Keys(expected)) {
		if _, there := have.Data[name]; !there {
			missing = append(missing, name)
		}
	}
	return missing
}

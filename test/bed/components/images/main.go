// Command images writes an archive of container images that containerd imports. It reads a JSON list of images, each with
// the folders or tar files that become its layers, from standard input; its one argument is the archive to write.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// image is one image to write.
type image struct {
	Name       string   `json:"name"`
	Layers     []string `json:"layers"` // tar files, lowest first
	Entrypoint []string `json:"entrypoint"`
	Arch       string   `json:"arch"`
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "images:", err)
		os.Exit(1)
	}
}

func run() error {
	var list []image
	if err := json.NewDecoder(os.Stdin).Decode(&list); err != nil {
		return fmt.Errorf("cannot read the list of images: %w", err)
	}
	archive := map[name.Tag]v1.Image{}
	for _, spec := range list {
		tag, err := name.NewTag(spec.Name)
		if err != nil {
			return fmt.Errorf("cannot name an image: %w", err)
		}
		if archive[tag], err = build(spec); err != nil {
			return fmt.Errorf("cannot build %s: %w", spec.Name, err)
		}
	}
	return tarball.MultiWriteToFile(os.Args[1], archive)
}

func build(spec image) (v1.Image, error) {
	img := v1.Image(empty.Image)
	for _, path := range spec.Layers {
		layer, err := tarball.LayerFromFile(path)
		if err != nil {
			return nil, err
		}
		if img, err = mutate.AppendLayers(img, layer); err != nil {
			return nil, err
		}
	}
	// containerd leaves out images that do not name this platform.
	return mutate.ConfigFile(img, &v1.ConfigFile{
		Architecture: spec.Arch,
		OS:           "linux",
		RootFS:       must(img.ConfigFile()).RootFS,
		Config: v1.Config{
			Entrypoint: spec.Entrypoint,
			Env:        []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
		},
	})
}

func must(c *v1.ConfigFile, err error) *v1.ConfigFile {
	if err != nil {
		panic(err) // an image built in memory always has its configuration
	}
	return c
}

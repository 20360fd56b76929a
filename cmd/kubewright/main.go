// Command kubewright bootstraps Kubernetes control planes and nodes.
package main

import (
	"os"

	"github.com/kubewright/kubewright/cmd"
)

func main() {
	os.Exit(cmd.Main(os.Args))
}

package cluster_test

import (
	"github.com/kubewright/kubewright/cluster"
	"github.com/kubewright/kubewright/plan"
)

var _ plan.API = (*cluster.Client)(nil)

package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/kubewright/kubewright/test/bed"
)

// web is a Deployment of two pods that serve their own name, and a Service for them.
var web = fmt.Sprintf(`apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  replicas: 2
  selector:
    matchLabels: {app: web}
  template:
    metadata:
      labels: {app: web}
    spec:
      terminationGracePeriodSeconds: 1
      tolerations:
      - key: node-role.kubernetes.io/control-plane
        effect: NoSchedule
      containers:
      - name: web
        image: %s
        command: [/bin/tool, serve, ":8080"]
        readinessProbe:
          httpGet: {path: /, port: 8080}
          periodSeconds: 1
---
apiVersion: v1
kind: Service
metadata:
  name: web
spec:
  selector: {app: web}
  ports:
  - port: 80
    targetPort: 8080
`, bed.ToolImage)

// checkWorkload runs two pods that reach each other by address and by the name of their Service.
func checkWorkload(t *testing.T, m *bed.Machine) {
	m.WriteFile(t, "/root/web.yaml", web, 0o600)
	m.Kubectl(t, "apply", "-f", m.Path("/root/web.yaml"))
	m.Kubectl(t, "rollout", "status", "deployment/web", "--timeout=90s")
	pods := strings.Fields(m.Kubectl(t, "get", "pods", "-l", "app=web", "-o",
		`jsonpath={range .items[*]}{.metadata.name} {.status.podIP} {end}`))
	if len(pods) != 4 {
		t.Fatalf("want two pods: %v", pods)
	}
	if got := fetch(t, m, pods[0], "http://"+pods[3]+":8080/"); got != pods[2] {
		t.Errorf("%s asked %s and got %q", pods[0], pods[2], got)
	}
	eventually(t, 30*time.Second, func() string {
		got, ok := kubectl(m, "exec", pods[0], "--", "/bin/tool", "get", "http://web.default.svc.cluster.local/")
		if !ok || !strings.HasPrefix(got, "web-") {
			return "the Service does not answer by its name: " + got
		}
		return ""
	})
	m.Kubectl(t, "delete", "-f", m.Path("/root/web.yaml"), "--wait=false")
}

func fetch(t *testing.T, m *bed.Machine, from, url string) string {
	t.Helper()
	return strings.TrimSpace(m.Kubectl(t, "exec", from, "--", "/bin/tool", "get", url))
}

package cluster

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

const secrets = "/api/v1/namespaces/kube-system/secrets"

func TestListTokens(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != secrets || r.URL.Query().Get("fieldSelector") != "type=bootstrap.kubernetes.io/token" {
			t.Errorf("asked for %s", r.URL)
		}
		first, second := tokenSecret(), tokenSecret()
		first.Name, second.Name = "bootstrap-token-bbbbbb", "bootstrap-token-aaaaaa"
		text, _ := json.Marshal(corev1.SecretList{
			TypeMeta: typeMeta("v1", "SecretList"), Items: []corev1.Secret{*first, *second},
		})
		echo(w, text)
	})
	tokens, err := c.ListTokens(t.Context())
	if err != nil || len(tokens) != 2 || tokens[0].Name != "bootstrap-token-aaaaaa" || tokens[1].Name != "bootstrap-token-bbbbbb" {
		t.Fatalf("%v, %v", tokens, err)
	}
	if string(tokens[0].Data["token-secret"]) != "0123456789abcdef" || tokens[0].Type != corev1.SecretTypeBootstrapToken {
		t.Errorf("%+v", tokens[0])
	}
	c = serve(t, func(w http.ResponseWriter, _ *http.Request) { refuse(w, 403, "Forbidden", "you may not") })
	if _, err := c.ListTokens(t.Context()); err == nil || err.Error() != "cannot list the bootstrap tokens: you may not" {
		t.Error(err)
	}
}

func TestCreateToken(t *testing.T) {
	text, _ := json.Marshal(tokenSecret())
	other, _ := json.Marshal(func() *corev1.Secret {
		s := tokenSecret()
		s.Data["token-secret"] = []byte("fedcba9876543210")
		return s
	}())
	for name, test := range map[string]struct {
		answers []int // to POST, one after the other
		live    []byte
		want    string
	}{
		"new":                    {[]int{201}, nil, ""},
		"busy first":             {[]int{503, 201}, nil, ""},
		"answer lost":            {[]int{500, 409}, text, ""},
		"there, though alike":    {[]int{409}, text, "there is a token with this ID already\n"},
		"another after a mishap": {[]int{500, 409}, other, "kubewright token delete abcdef"},
		"forbidden":              {[]int{403}, nil, "with <hidden>"},
	} {
		t.Run(name, func(t *testing.T) {
			posts := 0
			c := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodGet {
					echo(w, test.live)
					return
				}
				if r.Method != http.MethodPost || r.URL.Path != secrets || r.URL.Query().Get("fieldManager") != "kubewright" {
					t.Errorf("%s %s", r.Method, r.URL)
				}
				posts++
				switch code := test.answers[min(posts, len(test.answers))-1]; code {
				case 201:
					w.Header().Set("Content-Type", "application/json")
					w.WriteHeader(code)
					_, _ = w.Write(text)
				case 403:
					refuse(w, code, "Forbidden", "no secret with 0123456789abcdef")
				default:
					refuse(w, code, map[int]string{409: "AlreadyExists", 500: "InternalError", 503: "ServiceUnavailable"}[code], "no")
				}
			})
			err := c.CreateToken(t.Context(), tokenSecret(), false)
			if posts != len(test.answers) {
				t.Errorf("%d requests", posts)
			}
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want) ||
				!strings.HasPrefix(err.Error(), "cannot create Secret kube-system/bootstrap-token-abcdef: ")) {
				t.Errorf("error: %v", err)
			}
		})
	}
}

func TestDeleteToken(t *testing.T) {
	for name, test := range map[string]struct {
		id      string
		answers []int
		want    string
	}{
		"there":       {"abcdef", []int{200}, ""},
		"whole token": {"abcdef.0123456789abcdef", []int{200}, ""},
		"not there":   {"abcdef", []int{404}, "cannot delete the bootstrap token abcdef: there is none with this ID\n"},
		"answer lost": {"abcdef", []int{500, 404}, ""},
		"forbidden":   {"abcdef", []int{403}, "cannot delete the bootstrap token abcdef: no"},
		"not an ID":   {"../a", nil, `cannot tell which bootstrap token is meant: name it by its ID, 6 characters from a-z and 0-9, or as a whole`},
	} {
		t.Run(name, func(t *testing.T) {
			asked := 0
			c := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if r.Method != http.MethodDelete || r.URL.Path != secrets+"/bootstrap-token-abcdef" {
					t.Errorf("%s %s", r.Method, r.URL)
				}
				if asked++; test.answers[min(asked, len(test.answers))-1] == 200 {
					echo(w, []byte(`{"kind":"Status","apiVersion":"v1","status":"Success"}`))
					return
				}
				code := test.answers[min(asked, len(test.answers))-1]
				refuse(w, code, map[int]string{403: "Forbidden", 404: "NotFound", 500: "InternalError"}[code], "no")
			})
			err := c.DeleteToken(t.Context(), test.id, false)
			if asked != len(test.answers) {
				t.Errorf("%d requests", asked)
			}
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.HasPrefix(err.Error(), test.want)) {
				t.Errorf("error: %v", err)
			}
		})
	}
}

func TestTokenDryRun(t *testing.T) {
	code := 200
	var asked []string
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		var options struct{ DryRun []string }
		_ = json.NewDecoder(r.Body).Decode(&options)
		asked = append(asked, r.Method+" "+strings.Join(append(options.DryRun, r.URL.Query()["dryRun"]...), ","))
		if code != 200 {
			refuse(w, code, map[int]string{404: "NotFound", 409: "AlreadyExists"}[code], "no")
			return
		}
		text, _ := json.Marshal(tokenSecret())
		echo(w, text)
	})
	if err := errors.Join(c.CreateToken(t.Context(), tokenSecret(), true), c.DeleteToken(t.Context(), "abcdef", true)); err != nil {
		t.Error(err)
	}
	code = 409
	if err := c.CreateToken(t.Context(), tokenSecret(), true); err == nil || !strings.Contains(err.Error(), "there is a token with this ID already") {
		t.Error(err)
	}
	code = 404
	if err := c.DeleteToken(t.Context(), "abcdef", true); err == nil || !strings.Contains(err.Error(), "there is none with this ID") {
		t.Error(err)
	}
	if want := []string{"POST All", "DELETE All", "POST All", "DELETE All"}; !slices.Equal(asked, want) {
		t.Errorf("asked %q, want %q", asked, want)
	}
}

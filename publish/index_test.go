package publish_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/distgate/distgate/publish"
	"github.com/distgate/distgate/staging/rule"
)

func TestAddresses(t *testing.T) {
	pypi, local := publish.PyPI(), publish.Address{
		Name: "local", Audience: "local", Patience: time.Second, Upload: "http://127.0.0.1:8080/legacy/",
		Simple: "http://127.0.0.1:8080/simple/", Integrity: "http://127.0.0.1:8080/integrity/",
	}
	with := func(a publish.Address, change func(*publish.Address)) publish.Address {
		change(&a)
		return a
	}
	for _, test := range []struct {
		name    string
		address publish.Address
		refused []rule.ID
	}{
		{"pypi.org", pypi, nil},
		{"test.pypi.org", publish.TestPyPI(), nil},
		{"an index on this machine", local, nil},
		{"nothing", publish.Address{}, []rule.ID{rule.IndexAddress, rule.IndexAddress, rule.IndexAddress, rule.IndexAudience, rule.IndexAddress}},

		{"an index at [::1]", with(local, func(a *publish.Address) {
			a.Upload, a.Simple, a.Integrity = "http://[::1]:8080/", "http://[::1]:8080/simple", "http://[::1]:8080/integrity"
		}), nil},
		{"releases listed elsewhere", with(local, func(a *publish.Address) { a.Simple = "https://pypi.example/simple/" }), []rule.ID{rule.IndexOrigin}},
		{"releases listed on another port", with(local, func(a *publish.Address) { a.Simple = "http://127.0.0.1:8081/simple/" }), []rule.ID{rule.IndexOrigin}},
		{"all listed elsewhere", with(local, func(a *publish.Address) {
			a.Simple, a.Integrity, a.Yank = "https://pypi.example/simple/", "https://pypi.example/integrity/", "https://pypi.example/api/"
		}), []rule.ID{rule.IndexOrigin, rule.IndexOrigin, rule.IndexOrigin}},
		{"files and owners elsewhere", with(local, func(a *publish.Address) {
			a.Files, a.Manage = []string{"https://files.example"}, "https://console.example/widget/"
		}), nil},

		{"http beyond this machine", with(local, func(a *publish.Address) { a.Upload = "http://pypi.example/legacy/" }), []rule.ID{rule.IndexAddress}},
		{"a host that only begins like this machine", with(local, func(a *publish.Address) { a.Simple = "http://127.0.0.1.example/simple/" }), []rule.ID{rule.IndexAddress}},
		{"a password", with(local, func(a *publish.Address) { a.Upload = "https://me:secret@pypi.example/legacy/" }), []rule.ID{rule.IndexAddress}},
		{"a query", with(local, func(a *publish.Address) { a.Upload = "https://pypi.example/legacy/?a=b" }), []rule.ID{rule.IndexAddress}},
		{"files over http", with(local, func(a *publish.Address) { a.Files = []string{"http://files.example"} }), []rule.ID{rule.IndexAddress}},
		{"no patience", with(local, func(a *publish.Address) { a.Patience = 0 }), []rule.ID{rule.IndexAddress}},

		{"the audience pypi on another host", with(local, func(a *publish.Address) { a.Audience = "pypi" }),
			[]rule.ID{rule.IndexAudience, rule.IndexAudience, rule.IndexAudience}},
		{"the name pypi on another host", with(local, func(a *publish.Address) { a.Name = "pypi" }), []rule.ID{rule.IndexAudience}},
		{"no audience", with(local, func(a *publish.Address) { a.Audience = "" }), []rule.ID{rule.IndexAudience}},
		{"another audience on pypi.org", with(pypi, func(a *publish.Address) { a.Name, a.Audience = "mine", "mine" }),
			[]rule.ID{rule.IndexAudience, rule.IndexAudience, rule.IndexAudience}},
		{"testpypi's audience on pypi.org", with(pypi, func(a *publish.Address) { a.Name, a.Audience = "mine", "testpypi" }),
			[]rule.ID{rule.IndexAudience, rule.IndexAudience, rule.IndexAudience, rule.IndexAudience, rule.IndexAudience, rule.IndexAudience}},
		{"Sigstore's audience", with(local, func(a *publish.Address) { a.Audience = "sigstore" }), []rule.ID{rule.IndexAudience}},
		{"Sigstore's audience in capitals", with(local, func(a *publish.Address) { a.Audience = "Sigstore" }), []rule.ID{rule.IndexAudience}},
		{"a cloud's audience", with(local, func(a *publish.Address) { a.Audience = "sts.amazonaws.com" }), []rule.ID{rule.IndexAudience}},
		{"another registry's audience", with(local, func(a *publish.Address) { a.Audience = "npm:registry.npmjs.org" }), []rule.ID{rule.IndexAudience}},
		{"an audience with a blank", with(local, func(a *publish.Address) { a.Audience = "local " }), []rule.ID{rule.IndexAudience}},
		{"an audience with a line break", with(local, func(a *publish.Address) { a.Audience = "local\n" }), []rule.ID{rule.IndexAudience}},
		{"an audience in Cyrillic", with(local, func(a *publish.Address) { a.Audience = "рурі" }), []rule.ID{rule.IndexAudience}},
		{"a long audience", with(local, func(a *publish.Address) { a.Audience = strings.Repeat("a", 256) }), []rule.ID{rule.IndexAudience}},
		{"an audience that is a URL", with(local, func(a *publish.Address) { a.Audience = "https://pypi.example/Acme" }), nil},
		{"a name in capitals", with(local, func(a *publish.Address) { a.Name = "PyPI" }), []rule.ID{rule.IndexAddress}},
		{"a name in Cyrillic", with(local, func(a *publish.Address) { a.Name = "рурі" }), []rule.ID{rule.IndexAddress}},
		{"a name with a blank", with(local, func(a *publish.Address) { a.Name = "pypi " }), []rule.ID{rule.IndexAddress}},
		{"a name that is unseen", with(local, func(a *publish.Address) { a.Name = "pypi\u200b" }), []rule.ID{rule.IndexAddress}},
		{"a name with figures", with(local, func(a *publish.Address) { a.Name = "acme-2" }), nil},
		{"uploads to pypi.org, and another index to look at", with(pypi, func(a *publish.Address) { a.Simple = "https://pypi.example/simple/" }),
			[]rule.ID{rule.IndexAudience}},
		{"pypi.org with a dot", with(pypi, func(a *publish.Address) { a.Upload = "https://upload.pypi.org./legacy/" }), []rule.ID{rule.IndexAudience}},
		{"pypi.org on another port", with(pypi, func(a *publish.Address) { a.Upload = "https://upload.pypi.org:8443/legacy/" }), []rule.ID{rule.IndexAudience}},
		{"pypi.org in capitals, with its port", with(pypi, func(a *publish.Address) { a.Upload = "https://UPLOAD.PyPI.org:443/legacy/" }), nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			index, err := publish.NewIndex(test.address)
			if test.refused == nil {
				if err != nil || index.Name() != test.address.Name {
					t.Fatalf("got %v, %v", index, err)
				}
				return
			}
			refused(t, err, test.refused...)
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("the error quotes a password: %v", err)
			}
		})
	}
}

// An index on another host answers the audience of PyPI: whoever gave it a
// token would let it publish there.
func TestAnIndexThatWantsAnotherAudience(t *testing.T) {
	for name, answer := range map[string]string{
		"pypi":                   `{"audience":"pypi"}`,
		"Sigstore":               `{"audience":"sigstore"}`,
		"nobody":                 `{"audience":""}`,
		"a longer one":           `{"audience":"local2"}`,
		"another one in a list":  `{"audience":"pypi","audiences":["local"]}`,
		"an audience with blank": `{"audience":" local"}`,
		"AUDIENCE in capitals":   `{"AUDIENCE":"local"}`,
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, before(func(rw http.ResponseWriter, r *http.Request) bool {
				if r.URL.Path != "/_/oidc/audience" {
					return false
				}
				rw.Write([]byte(answer))
				return true
			}))
			job := w.job(job())
			asked := 0
			job.Token = func(context.Context, string) (string, error) { asked++; return "", nil }
			_, err := job.Publish(context.Background(), w.approved)
			refused(t, err, rule.IndexAudience)
			if asked != 0 {
				t.Errorf("%d tokens were made for it", asked)
			}
		})
	}
}

func TestAnIndexWithoutTrustedPublishing(t *testing.T) {
	for name, status := range map[string]int{"not there": http.StatusNotFound, "switched off": http.StatusForbidden, "moved": http.StatusFound} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, before(func(rw http.ResponseWriter, r *http.Request) bool {
				if r.URL.Path == "/_/oidc/audience" {
					rw.WriteHeader(status)
				}
				return r.URL.Path == "/_/oidc/audience"
			}))
			_, err := w.publish()
			refused(t, err, rule.IndexAudience)
		})
	}
}

// Whatever the index sends us to, only its own hosts are visited.
func TestARedirectElsewhere(t *testing.T) {
	visited := 0
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { visited++ }))
	defer elsewhere.Close()
	for _, test := range []struct {
		path    string
		status  int
		refused rule.ID
	}{
		{"/_/oidc/audience", http.StatusFound, rule.IndexElsewhere},
		{"/simple/widget/", http.StatusMovedPermanently, rule.IndexElsewhere},
		{"/packages/", http.StatusFound, rule.IndexElsewhere},
		{"/integrity/", http.StatusTemporaryRedirect, rule.IndexElsewhere},
		{"/_/oidc/mint-token", http.StatusTemporaryRedirect, rule.TokenRefused},
		{"/_/oidc/mint-token", http.StatusFound, rule.TokenRefused},
	} {
		t.Run(test.path, func(t *testing.T) {
			w := newWorld(t, before(func(rw http.ResponseWriter, r *http.Request) bool {
				if !strings.HasPrefix(r.URL.Path, test.path) {
					return false
				}
				http.Redirect(rw, r, elsewhere.URL, test.status)
				return true
			}))
			_, err := w.publish()
			got := refusals(t, err)
			for _, no := range got {
				if no.Rule != test.refused {
					t.Errorf("got %v, want %s", no, test.refused)
				}
			}
		})
	}
	if visited != 0 {
		t.Errorf("somebody else was visited %d times", visited)
	}
}

// What the index says is held to its protocol at every place where it is read.
func TestAnswersThatAreNone(t *testing.T) {
	page := `{"meta":{"api-version":"1.4"},"name":"widget","files":[%]}`
	file := `{"filename":"` + wheelName + `","url":"` + wheelName + `","hashes":{%}}`
	huge := strings.Repeat(" ", 65<<20)
	for _, test := range []struct {
		name, path, media, body string
		refused                 rule.ID
	}{
		{"no audience but a page", "/_/oidc/audience", "text/html", "<html>", rule.IndexAnswer},
		{"an audience cut off", "/_/oidc/audience", "application/json", `{"audience":"loc`, rule.IndexAnswer},
		{"an audience that is a number", "/_/oidc/audience", "application/json", `{"audience":1}`, rule.IndexAnswer},
		{"an audience without end", "/_/oidc/audience", "application/json", huge, rule.IndexAnswer},
		{"an empty audience", "/_/oidc/audience", "application/json", "", rule.IndexAnswer},

		{"no token but a page", "/_/oidc/mint-token", "text/html", "<html>", rule.IndexAnswer},
		{"an empty token", "/_/oidc/mint-token", "application/json", `{"token":""}`, rule.IndexAnswer},
		{"a token that is a header", "/_/oidc/mint-token", "application/json", `{"token":"a\r\nCookie: b"}`, rule.IndexAnswer},
		{"a token that has ended", "/_/oidc/mint-token", "application/json", `{"token":"a","expires":1}`, rule.IndexAnswer},
		{"a token without end", "/_/oidc/mint-token", "application/json", `{"token":"` + huge + `"}`, rule.IndexAnswer},

		{"an HTML page", "/simple/widget/", "text/html", "<html>", rule.IndexAnswer},
		{"JSON of another type", "/simple/widget/", "application/json", `{}`, rule.IndexAnswer},
		{"a page cut off", "/simple/widget/", simpleJSON, page[:30], rule.IndexAnswer},
		{"a page that is a list", "/simple/widget/", simpleJSON, `[]`, rule.IndexAnswer},
		{"an empty page", "/simple/widget/", simpleJSON, "", rule.IndexAnswer},
		{"another project's page", "/simple/widget/", simpleJSON, strings.ReplaceAll(strings.ReplaceAll(page, "widget", "gadget"), "%", ""), rule.IndexAnswer},
		{"a page of version 2", "/simple/widget/", simpleJSON, strings.Replace(strings.ReplaceAll(page, "%", ""), "1.4", "2.0", 1), rule.IndexAnswer},
		{"a page without end", "/simple/widget/", simpleJSON, huge, rule.IndexAnswer},
		{"a file without a hash", "/simple/widget/", simpleJSON, strings.Replace(page, "%", strings.Replace(file, "%", "", 1), 1), rule.IndexAnswer},
		{"a file with another hash alone", "/simple/widget/", simpleJSON, strings.Replace(page, "%", strings.Replace(file, "%", `"md5":"00"`, 1), 1), rule.IndexAnswer},
		{"a file with half a hash", "/simple/widget/", simpleJSON, strings.Replace(page, "%", strings.Replace(file, "%", `"sha256":"00ff"`, 1), 1), rule.IndexAnswer},

		{"provenance cut off", "/integrity/widget/1.0/" + wheelName + "/provenance", "application/json", `{"version":1,"attest`, rule.BundleMalformed},
		{"empty provenance", "/integrity/widget/1.0/" + wheelName + "/provenance", "application/json", ``, rule.BundleMalformed},
		{"provenance without attestations", "/integrity/widget/1.0/" + wheelName + "/provenance", "application/json",
			`{"version":1,"attestation_bundles":[]}`, rule.BundleMalformed},
		{"provenance without end", "/integrity/widget/1.0/" + wheelName + "/provenance", "application/json", huge, rule.IndexAnswer},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, before(func(rw http.ResponseWriter, r *http.Request) bool {
				if r.URL.Path != test.path {
					return false
				}
				rw.Header().Set("Content-Type", test.media)
				rw.Write([]byte(test.body))
				return true
			}))
			confirmed, err := w.publish()
			refused(t, err, test.refused)
			if !confirmed.IsZero() {
				t.Error("it is confirmed all the same")
			}
			if !strings.HasPrefix(test.path, "/integrity/") && w.requests("POST /legacy/") != 0 {
				t.Error("a file was sent all the same")
			}
		})
	}
}

const simpleJSON = "application/vnd.pypi.simple.v1+json"

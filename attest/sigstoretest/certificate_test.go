package sigstoretest_test

import (
	"crypto/x509"
	"encoding/asn1"
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/distgate/distgate/attest/sigstoretest"
)

// leaf is the certificate of a bundle.
func leaf(t testing.TB, raw []byte) *x509.Certificate {
	t.Helper()
	var b struct {
		VerificationMaterial struct {
			Certificate struct{ RawBytes []byte }
		}
	}
	if err := json.Unmarshal(raw, &b); err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(b.VerificationMaterial.Certificate.RawBytes)
	if err != nil {
		t.Fatal(err)
	}
	return certificate
}

// fulcioExtensions reads 1.3.6.1.4.1.57264.1.*: raw to .6, DER UTF8String after.
func fulcioExtensions(t testing.TB, c *x509.Certificate) map[int]string {
	t.Helper()
	arc := asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1}
	got := map[int]string{}
	for _, e := range c.Extensions {
		if len(e.Id) != 9 || !e.Id[:8].Equal(arc) {
			continue
		}
		number, text := e.Id[8], string(e.Value)
		if number > 6 {
			var value asn1.RawValue
			rest, err := asn1.Unmarshal(e.Value, &value)
			if err != nil || len(rest) > 0 || value.Tag != asn1.TagUTF8String {
				t.Errorf(".%d is %x, want one UTF8String", number, e.Value)
			}
			text = string(value.Bytes)
		}
		if e.Critical {
			t.Errorf(".%d is critical", number)
		}
		got[number] = text
	}
	return got
}

func TestJobCertificate(t *testing.T) {
	c := sigstoretest.Claims{
		Issuer:               "https://token.actions.githubusercontent.com",
		Subject:              "repo:acme/widget:environment:pypi",
		Repository:           "acme/widget",
		RepositoryID:         "1234",
		RepositoryOwner:      "acme",
		RepositoryOwnerID:    "99",
		RepositoryVisibility: "private",
		SHA:                  "1111111111111111111111111111111111111111",
		Ref:                  "refs/tags/v1.0",
		EventName:            "push",
		Workflow:             "Release it",
		WorkflowRef:          "acme/widget/.github/workflows/release.yml@refs/tags/v1.0",
		WorkflowSHA:          "2222222222222222222222222222222222222222",
		JobWorkflowRef:       "acme/shared/.github/workflows/build.yml@refs/heads/main",
		JobWorkflowSHA:       "3333333333333333333333333333333333333333",
		RunID:                "77",
		RunAttempt:           "2",
		RunnerEnvironment:    "self-hosted",
		Environment:          "pypi",
	}
	raw, err := instance(t, sigstoretest.New).Sign(c, provenance(c))
	if err != nil {
		t.Fatal(err)
	}
	certificate := leaf(t, raw)
	want := map[int]string{
		1:  "https://token.actions.githubusercontent.com",
		2:  "push",
		3:  "1111111111111111111111111111111111111111",
		4:  "Release it",
		5:  "acme/widget",
		6:  "refs/tags/v1.0",
		8:  "https://token.actions.githubusercontent.com",
		9:  "https://github.com/acme/shared/.github/workflows/build.yml@refs/heads/main",
		10: "3333333333333333333333333333333333333333",
		11: "self-hosted",
		12: "https://github.com/acme/widget",
		13: "1111111111111111111111111111111111111111",
		14: "refs/tags/v1.0",
		15: "1234",
		16: "https://github.com/acme",
		17: "99",
		18: "https://github.com/acme/widget/.github/workflows/release.yml@refs/tags/v1.0",
		19: "2222222222222222222222222222222222222222",
		20: "push",
		21: "https://github.com/acme/widget/actions/runs/77/attempts/2",
		22: "private",
		23: "pypi",
		24: "repo:acme/widget:environment:pypi",
	}
	if diff := cmp.Diff(want, fulcioExtensions(t, certificate)); diff != "" {
		t.Errorf("extensions (-want +got):\n%s", diff)
	}
	if got := certificate.URIs[0].String(); got != want[9] || len(certificate.URIs) != 1 {
		t.Errorf("SAN is %s, want %s alone", got, want[9])
	}
	if got := certificate.NotAfter.Sub(certificate.NotBefore); got != 10*time.Minute {
		t.Errorf("holds for %v, want 10m", got)
	}
}

// layout is an object identifier and whether it is critical.
type layout struct {
	ID       string
	Critical bool
}

func TestCertificateLayout(t *testing.T) {
	raw, err := instance(t, sigstoretest.New).Sign(release(), provenance(release()))
	if err != nil {
		t.Fatal(err)
	}
	var got []layout
	for _, e := range leaf(t, raw).Extensions {
		got = append(got, layout{e.Id.String(), e.Critical})
	}
	// As in a certificate that fulcio.sigstore.dev gave to a job without environment.
	want := []layout{
		{"2.5.29.15", true},  // key usage
		{"2.5.29.37", false}, // extended key usage
		{"2.5.29.14", false}, // subject key id
		{"2.5.29.35", false}, // authority key id
		{"2.5.29.17", true},  // subject alternative name
	}
	for _, n := range []string{
		"1", "2", "3", "4", "5", "6", "8", "9", "10", "11", "12", "13", "14", "15", "16", "17", "18",
		"19", "20", "21", "22", "24",
	} {
		want = append(want, layout{"1.3.6.1.4.1.57264.1." + n, false})
	}
	want = append(want, layout{"1.3.6.1.4.1.11129.2.4.2", false}) // SCTs
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("extensions (-want +got):\n%s", diff)
	}
}

func TestPersonCertificate(t *testing.T) {
	raw, err := instance(t, sigstoretest.New).SignAs(
		"alice@example.org", "https://accounts.example.org", provenance(release()))
	if err != nil {
		t.Fatal(err)
	}
	certificate := leaf(t, raw)
	want := map[int]string{
		1:  "https://accounts.example.org",
		8:  "https://accounts.example.org",
		24: "alice@example.org",
	}
	if diff := cmp.Diff(want, fulcioExtensions(t, certificate)); diff != "" {
		t.Errorf("extensions (-want +got):\n%s", diff)
	}
	names := append(certificate.EmailAddresses, uris(certificate)...)
	if diff := cmp.Diff([]string{"alice@example.org"}, names); diff != "" {
		t.Errorf("SAN (-want +got):\n%s", diff)
	}
}

func uris(c *x509.Certificate) (names []string) {
	for _, u := range c.URIs {
		names = append(names, u.String())
	}
	return names
}

// Claims that a token does not make are not in the certificate, empty or otherwise.
func TestAbsentClaims(t *testing.T) {
	c := release()
	c.RunnerEnvironment, c.RepositoryOwner = "", ""
	raw, err := instance(t, sigstoretest.New).Sign(c, provenance(c))
	if err != nil {
		t.Fatal(err)
	}
	got := fulcioExtensions(t, leaf(t, raw))
	for _, absent := range []int{11, 16, 23} {
		if value, found := got[absent]; found {
			t.Errorf(".%d is %q, want none", absent, value)
		}
	}
}

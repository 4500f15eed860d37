package attest_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/distgate/distgate/attest"
	"github.com/distgate/distgate/attest/sigstoretest"
	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

var (
	linux, macos = "w-1-py3-none-manylinux_2_17_x86_64.whl", "w-1-py3-none-macosx_11_0_arm64.whl"
	released     = map[string]dist.Digest{linux: dist.Sum([]byte("linux")), macos: dist.Sum([]byte("macos"))}
	nextYear     = time.Now().AddDate(1, 0, 0)
)

// custody is a release on its way, unchanged.
func custody() map[string]attest.Step {
	steps := map[string]attest.Step{attest.StepBuild: {Name: attest.StepBuild, Products: maps.Clone(released)}}
	for _, name := range []string{attest.StepStage, attest.StepVote, attest.StepPublish} {
		steps[name] = attest.Step{Name: name, Materials: maps.Clone(released), Products: maps.Clone(released)}
	}
	return steps
}

func list(steps map[string]attest.Step) (all []attest.Step) {
	for _, s := range steps {
		all = append(all, s)
	}
	return all
}

// Every product of the build reaches the end unchanged, nothing comes from
// nowhere, nothing is missing.
func TestChainOfCustody(t *testing.T) {
	other := dist.Sum([]byte("other"))
	for name, test := range map[string]struct {
		spoil func(map[string]attest.Step)
		want  rule.ID
	}{
		"unchanged": {func(map[string]attest.Step) {}, ""},
		"changed before it was staged": {func(s map[string]attest.Step) {
			s[attest.StepStage].Materials[linux], s[attest.StepStage].Products[linux] = other, other
		}, rule.LayoutArtifacts},
		"changed in the stage": {func(s map[string]attest.Step) { s[attest.StepStage].Products[linux] = other }, rule.LayoutArtifacts},
		"other bytes approved": {func(s map[string]attest.Step) {
			s[attest.StepVote].Materials[linux], s[attest.StepVote].Products[linux] = other, other
		}, rule.LayoutArtifacts},
		"from nowhere": {func(s map[string]attest.Step) {
			s[attest.StepStage].Materials["evil.whl"], s[attest.StepStage].Products["evil.whl"] = other, other
		}, rule.LayoutArtifacts},
		"built and not staged": {func(s map[string]attest.Step) {
			delete(s[attest.StepStage].Materials, macos)
			delete(s[attest.StepStage].Products, macos)
		}, rule.LayoutArtifacts},
		"never built":                {func(s map[string]attest.Step) { delete(s[attest.StepBuild].Products, macos) }, rule.LayoutArtifacts},
		"published and not approved": {func(s map[string]attest.Step) { s[attest.StepPublish].Products["evil.whl"] = other }, rule.LayoutArtifacts},
		"swapped": {func(s map[string]attest.Step) {
			p := s[attest.StepPublish].Products
			p[linux], p[macos] = p[macos], p[linux]
		}, rule.LayoutArtifacts},
		"nobody voted": {func(s map[string]attest.Step) { delete(s, attest.StepVote) }, rule.LayoutStep},
		"nothing":      {func(s map[string]attest.Step) { clear(s) }, rule.LayoutStep},
	} {
		steps := custody()
		test.spoil(steps)
		err := attest.DefaultLayout([]string{linux, macos}, true, nextYear).Verify(list(steps))
		refusedBy(t, name, err, test.want)
	}
	if err := (attest.Layout{}).Verify(list(custody())); err == nil {
		t.Error("a layout that was never read let everything pass")
	}
}

func refusedBy(t *testing.T, name string, err error, want rule.ID) {
	t.Helper()
	var no rule.Refusals
	errors.As(err, &no)
	if (err == nil) != (want == "") || want != "" && (len(no) == 0 || no[0].Rule != want) {
		t.Errorf("%s: got %v, want %q", name, err, want)
	}
}

// A layout is judged whole or not at all.
func TestParseLayout(t *testing.T) {
	raw, err := attest.DefaultLayout([]string{linux, macos}, false, nextYear).Encode()
	check(t, err)
	for name, edit := range map[string]func(map[string]any){
		"as it is":        nil,
		"expired":         func(l map[string]any) { l["expires"] = "2020-01-01T00:00:00Z" },
		"of another type": func(l map[string]any) { l["_type"] = "link" },
		"with an inspection": func(l map[string]any) {
			l["inspect"] = []any{map[string]any{"_type": "inspection", "name": "x", "run": []string{"sh"}}}
		},
		"with a key":              func(l map[string]any) { l["keys"] = map[string]any{"a": map[string]any{"keyid": "a"}} },
		"with an unknown field":   func(l map[string]any) { l["more"] = 1 },
		"without the build":       func(l map[string]any) { l["steps"] = l["steps"].([]any)[1:] },
		"without steps":           func(l map[string]any) { l["steps"] = nil },
		"with a step twice":       func(l map[string]any) { l["steps"] = append(l["steps"].([]any), l["steps"].([]any)[0]) },
		"that lets the rest pass": func(l map[string]any) { first(l)["expected_products"] = []any{[]string{"ALLOW", "*"}} },
		"with a rule that is none": func(l map[string]any) {
			first(l)["expected_products"] = []any{[]string{"PERHAPS", "*"}, []string{"DISALLOW", "*"}}
		},
		"with an empty rule":   func(l map[string]any) { first(l)["expected_products"] = []any{[]string{}, []string{"DISALLOW", "*"}} },
		"with keys for a step": func(l map[string]any) { first(l)["pubkeys"] = []string{"a"} },
		"a test by nobody":     func(l map[string]any) { l["steps"] = append(l["steps"].([]any), further("test")) },
		"a test by anybody":    func(l map[string]any) { l["steps"] = append(l["steps"].([]any), further("test", "https://*")) },
		"a build by somebody":  func(l map[string]any) { first(l)["cert_constraints"] = further("x", "https://x")["cert_constraints"] },
	} {
		text := raw
		if edit != nil {
			var l map[string]any
			check(t, json.Unmarshal(raw, &l))
			edit(l)
			text, err = json.Marshal(l)
			check(t, err)
		}
		_, err := attest.ParseLayout("layout.json", bytes.NewReader(text), time.Now())
		want := rule.LayoutForm
		if edit == nil {
			want = ""
		}
		refusedBy(t, name, err, want)
	}
	for _, text := range []string{"", "{}", "[]", string(raw) + "{}", strings.Repeat(" ", 2<<20)} {
		if _, err := attest.ParseLayout("layout.json", strings.NewReader(text), time.Now()); err == nil {
			t.Errorf("%.20q is no layout", text)
		}
	}
}

func first(l map[string]any) map[string]any { return l["steps"].([]any)[0].(map[string]any) }

// further is a step that a workflow attests.
func further(name string, uris ...string) map[string]any {
	rules := []any{[]string{"MATCH", "*", "WITH", "PRODUCTS", "FROM", "build"}, []string{"DISALLOW", "*"}}
	s := map[string]any{"_type": "step", "name": name, "pubkeys": []string{}, "expected_command": []string{}, "threshold": 1,
		"expected_materials": rules, "expected_products": rules}
	if uris != nil {
		s["cert_constraints"] = []any{map[string]any{"common_name": "*", "uris": uris}}
	}
	return s
}

// A further step counts when the workflow that the layout names attests it, for
// this commit and these bytes.
func TestAFurtherStepIsAttested(t *testing.T) {
	w := newWorld(t)
	scan := sigstoretest.GitHubClaims("acme/widget", ".github/workflows/scan.yml", "refs/tags/v1.0")
	uri := "https://github.com/acme/widget/.github/workflows/scan.yml@refs/tags/v1.0"
	subjects := []sigstoretest.Subject{{Name: linux, SHA256: released[linux].Hex()}, {Name: macos, SHA256: released[macos].Hex()}}
	statement := func(typ string, predicate any) []byte {
		var all []any
		for _, s := range subjects {
			all = append(all, map[string]any{"name": s.Name, "digest": map[string]string{"sha256": s.SHA256}})
		}
		raw, err := json.Marshal(map[string]any{"_type": "https://in-toto.io/Statement/v1", "subject": all, "predicateType": typ, "predicate": predicate})
		check(t, err)
		return raw
	}
	test := statement(attest.TestResultV01, map[string]any{"result": "PASSED"})
	b := w.sign(t, scan, test)[0]
	s, err := w.verifier.AttestedStep("scan", uri, scan.SHA, b, w.policy)
	check(t, err)
	if diff := cmp.Diff(attest.Step{Name: "scan", Materials: released, Products: released}, s, cmpopts.IgnoreUnexported(attest.Step{})); diff != "" {
		t.Error(diff)
	}
	link := w.sign(t, scan, statement(attest.LinkV03, map[string]any{"name": "scan", "materials": []any{
		map[string]any{"name": linux, "digest": map[string]string{"sha256": released[linux].Hex()}}}}))[0]
	s, err = w.verifier.AttestedStep("scan", uri, scan.SHA, link, w.policy)
	check(t, err)
	if len(s.Materials) != 1 || len(s.Products) != 2 {
		t.Errorf("got %+v", s)
	}

	fork := sigstoretest.GitHubClaims("mallory/widget", ".github/workflows/scan.yml", "refs/tags/v1.0")
	for name, try := range map[string]func() error{
		"another workflow": func() error {
			_, err := w.verifier.AttestedStep("scan", uri, w.claims.SHA, w.sign(t, w.claims, test)[0], w.policy)
			return err
		},
		"another repository": func() error {
			_, err := w.verifier.AttestedStep("scan", uri, fork.SHA, w.sign(t, fork, test)[0], w.policy)
			return err
		},
		"another commit": func() error {
			_, err := w.verifier.AttestedStep("scan", uri, strings.Repeat("0", 40), b, w.policy)
			return err
		},
		"a test that failed": func() error {
			failed := w.sign(t, scan, statement(attest.TestResultV01, map[string]any{"result": "FAILED"}))[0]
			_, err := w.verifier.AttestedStep("scan", uri, scan.SHA, failed, w.policy)
			return err
		},
		"a test of which nobody knows": func() error {
			unknown := w.sign(t, scan, statement(attest.TestResultV01, map[string]any{}))[0]
			_, err := w.verifier.AttestedStep("scan", uri, scan.SHA, unknown, w.policy)
			return err
		},
		"another step": func() error {
			_, err := w.verifier.AttestedStep("test", uri, scan.SHA, link, w.policy)
			return err
		},
	} {
		if err := try(); !errors.As(err, new(rule.Refusals)) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func FuzzParseLayout(f *testing.F) {
	raw, err := attest.DefaultLayout([]string{linux}, true, nextYear).Encode()
	check(f, err)
	f.Add(raw)
	f.Add([]byte(`{"_type":"layout","steps":[{"name":"build","expected_products":[["MATCH"]]}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		l, err := attest.ParseLayout("layout.json", bytes.NewReader(raw), time.Now())
		if err == nil {
			_ = l.Verify(list(custody()))
		}
	})
}

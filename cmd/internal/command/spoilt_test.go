package command

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/distgate/distgate/approval"
	"github.com/distgate/distgate/attest"
	"github.com/distgate/distgate/cmd/internal/world"
	"github.com/distgate/distgate/staging/dist"
)

// malformations are the ways in which a file that comes in can be bad, each made
// of the good one.
var malformations = []struct {
	how  string
	make func(path string, good []byte) error
}{
	{"not there", func(path string, _ []byte) error { return nil }},
	{"empty", put(func([]byte) []byte { return nil })},
	{"cut in half", put(func(good []byte) []byte { return good[:len(good)/2] })},
	{"without its beginning", put(func(good []byte) []byte { return good[len(good)/2:] })},
	{"zeros", put(func([]byte) []byte { return make([]byte, 4096) })},
	{"a web page", put(func([]byte) []byte { return []byte("<!DOCTYPE html>\n<html><body>502 Bad Gateway</body></html>\n") })},
	{"JSON of another type", put(func([]byte) []byte { return []byte("[null, 1e999, {}]\n") })},
	{"an empty object", put(func([]byte) []byte { return []byte("{}\n") })},
	{"nested", put(func([]byte) []byte { return bytes.Repeat([]byte(`{"a":[`), 100_000) })},
	{"not UTF-8", put(func(good []byte) []byte {
		return bytes.Join([][]byte{good[:len(good)/2], good[len(good)/2:]}, []byte("\xff\xfe"))
	})},
	{"one line", put(func([]byte) []byte { return bytes.Repeat([]byte("a"), 3<<20) })},
	{"huge", func(path string, good []byte) error { // sparse
		err := os.WriteFile(path, good, 0o644)
		if err == nil {
			err = os.Truncate(path, attest.MaxBundleFile+1)
		}
		return err
	}},
	{"a folder", func(path string, _ []byte) error { return os.Mkdir(path, 0o755) }},
}

func put(change func(good []byte) []byte) func(path string, good []byte) error {
	return func(path string, good []byte) error { return os.WriteFile(path, change(bytes.Clone(good)), 0o644) }
}

// place is where bytes come in: a file, and the verb that reads it.
type place struct {
	file  string
	verb  []string
	name  string // that is named; the file's own unless it is said
	fine  string // the malformations that are none here
	twice bool   // the verb can be run again on the good file, with the same end
}

// TestWhatComesInMalformed puts each malformation in each place where a file comes
// in. There is one refusal or error, which names the file and is short, never a panic
// and never a yes; and with the good file in its place again, all is as it was.
func TestWhatComesInMalformed(t *testing.T) {
	m := newSpoilt(t)
	for _, p := range m.places() {
		t.Run(filepath.Base(p.file)+" "+p.verb[0], func(t *testing.T) { m.try(t, p) })
	}
}

// spoilt is a project with a release, half approved.
type spoilt struct {
	t       *testing.T
	dir     string
	release dist.Digest
}

func newSpoilt(t *testing.T) *spoilt {
	t.Helper()
	w, err := world.Start(t.Context())
	check(t, err)
	t.Cleanup(func() { w.Close() })
	m := &spoilt{t: t, dir: t.TempDir()}
	t.Chdir(m.dir)
	check(t, w.WriteProject(m.dir))
	check(t, w.Build(m.at("dist"), "1.0"))
	var staged struct{ Release dist.Digest }
	out, said, code := m.run("stage", "dist", "--json")
	if err := json.Unmarshal([]byte(out), &staged); code != exitDone || err != nil {
		t.Fatal(said, err)
	}
	m.release = staged.Release
	if _, said, code := m.run("approve", m.release.String(), "--key", "keys/alice"); code != exitDone {
		t.Fatal(said)
	}
	if _, said, code := m.run("approve", m.release.String(), "--write", "vote.json"); code != exitDone {
		t.Fatal(said)
	}
	m.sign(t, "vote.json", "keys/bob")
	m.forms(t)
	return m
}

func (m *spoilt) at(name string) string { return filepath.Join(m.dir, name) }

// sign is ssh-keygen -Y sign.
func (m *spoilt) sign(t *testing.T, name, with string) {
	t.Helper()
	raw, err := os.ReadFile(m.at(with))
	check(t, err)
	key, err := ssh.ParsePrivateKey(raw)
	check(t, err)
	statement, err := os.ReadFile(m.at(name))
	check(t, err)
	signature, err := approval.Sign(statement, key)
	check(t, err)
	check(t, os.WriteFile(m.at(name)+".sig", signature, 0o644))
}

// forms writes one wheel four times more, each with its evidence in another form.
func (m *spoilt) forms(t *testing.T) {
	t.Helper()
	const wheel = "widget-1.0-py3-none-any.whl"
	raw, err := os.ReadFile(m.at("dist/" + wheel))
	check(t, err)
	bundle, err := os.ReadFile(m.at("dist/" + wheel + ".sigstore.json"))
	check(t, err)
	parsed, err := attest.ParseBundles(wheel, bytes.NewReader(bundle))
	check(t, err)
	attestation, err := parsed[0].PEP740()
	check(t, err)
	provenance := fmt.Appendf(nil, `{"version":1,"attestation_bundles":[{"publisher":{},"attestations":[%s]}]}`, attestation)
	for name, evidence := range map[string][]byte{
		wheel + ".publish.attestation": attestation, wheel + ".provenance": provenance,
		"all.jsonl": bundle, "elsewhere/bundle.json": bundle,
	} {
		dir := m.at("form" + filepath.Ext(name))
		check(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755))
		check(t, os.WriteFile(filepath.Join(dir, wheel), raw, 0o644))
		check(t, os.WriteFile(filepath.Join(dir, name), evidence, 0o644))
	}
}

func (m *spoilt) places() []place {
	const wheel = "widget-1.0-py3-none-any.whl"
	verify := []string{"verify", "--policy", "distgate.toml"}
	by := func(path ...string) []string { return append(verify[:3:3], path...) }
	stage := []string{"stage", "dist"}
	return []place{
		{file: "dist/" + wheel, verb: by("dist"), fine: "not there"},
		{file: "dist/" + wheel, verb: stage, name: wheel},
		{file: "dist/widget-1.0.tar.gz", verb: stage},
		{file: "dist/widget-1.0.tar.gz", verb: by("dist"), fine: "not there"},
		{file: "dist/" + wheel + ".sigstore.json", verb: stage, name: wheel},
		{file: "dist/" + wheel + ".sigstore.json", verb: by("dist"), name: wheel},
		{file: "form.attestation/" + wheel + ".publish.attestation", verb: by("form.attestation"), name: wheel},
		{file: "form.provenance/" + wheel + ".provenance", verb: by("form.provenance"), name: wheel},
		{file: "form.jsonl/all.jsonl", verb: by("form.jsonl"), name: ""},
		{file: "form.json/elsewhere/bundle.json", verb: by("form.json", "--bundle", "form.json/elsewhere/bundle.json")},
		{file: "distgate.toml", verb: stage},
		{file: "allowed_signers", verb: stage},
		{file: "trusted_root.json", verb: stage},
		{file: "vote.json", verb: []string{"approve", m.release.String(), "--statement", "vote.json", "--signature", "vote.json.sig"}},
		{file: "vote.json.sig", verb: []string{"approve", m.release.String(), "--statement", "vote.json", "--signature", "vote.json.sig"}},
		{file: "keys/carol", verb: []string{"approve", m.release.String(), "--key", "keys/carol"}},
		{file: "distgate-store/index.json", verb: []string{"review", "1.0"}},
		{file: "distgate-store/oci-layout", verb: []string{"review", "1.0"}},
	}
}

// try plays all malformations of a place, and then the good file.
func (m *spoilt) try(t *testing.T, p place) {
	path, name := m.at(p.file), filepath.Base(p.file)
	if p.name != "" {
		name = p.name
	}
	good, err := os.ReadFile(path)
	check(t, err)
	for _, bad := range malformations {
		if strings.Contains(p.fine, bad.how) {
			continue
		}
		check(t, os.RemoveAll(path))
		check(t, bad.make(path, good))
		out, said, code := m.run(p.verb...)
		switch all := strings.Join(strings.Fields(out+said), ""); {
		case code != exitRefused && code != exitUsage && code != exitUndecided:
			t.Errorf("%s: ended with %d:\n%s%s", bad.how, code, out, said)
		case !strings.Contains(all, name):
			t.Errorf("%s: %s is not named:\n%s%s", bad.how, name, out, said)
		case len(all) > 2000:
			t.Errorf("%s: %d bytes are said", bad.how, len(all))
		case testing.Verbose():
			t.Logf("%s: %d\n%s%s", bad.how, code, out, said)
		}
	}
	check(t, os.RemoveAll(path))
	check(t, os.WriteFile(path, good, 0o600))
}

// run runs a verb in this process.
func (m *spoilt) run(verb ...string) (out, said string, code int) {
	var to, aside bytes.Buffer
	code = Main(m.t.Context(), verb, Streams{In: strings.NewReader(""), Out: &to, Err: &aside, Now: time.Now,
		Env: func(name string) string { return map[string]string{"HOME": m.dir}[name] }})
	return to.String(), aside.String(), code
}

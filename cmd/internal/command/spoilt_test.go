package command

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
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
	file   string
	verb   []string
	name   string // that is named; the file's own unless it is said
	absent string // that is named where it is not there; the same unless it is said
	fine   string // the malformations that are none here
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
	blobs   map[string]string // of the store: what a refusal calls each, by its hex
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
	m.others(t)
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

// others writes what else can be named, and lists what is in the store.
func (m *spoilt) others(t *testing.T) {
	t.Helper()
	root, err := os.ReadFile(m.at("trusted_root.json"))
	check(t, err)
	layout, said, code := m.run("layout", "1.0")
	if code != exitDone {
		t.Fatal(said)
	}
	for name, raw := range map[string]string{
		"root.json": string(root), "layout.json": layout,
		"requirements.txt": "widget==1.0 --hash=" + m.release.String() + "\n",
		"withdrawn.toml": withdrawnHead + "\n[[withdrawn]]\nindex = \"local\"\nversion = \"0.9\"\nreason = \"not-by-us\"\n" +
			"since = \"2026-11-01T00:00:00Z\"\nfiles = [\"" + m.release.String() + "\"]\n",
	} {
		check(t, os.WriteFile(m.at(name), []byte(raw), 0o644))
	}
	m.blobs = map[string]string{}
	m.stored(t, "distgate-store/index.json", "")
}

// stored lists what a descriptor's target leads to, and how a refusal calls each.
func (m *spoilt) stored(t *testing.T, path, kind string) {
	t.Helper()
	var x struct {
		Manifests, Layers []struct {
			MediaType   string
			Digest      dist.Digest
			Annotations map[string]string
		}
		Config  struct{ Digest dist.Digest }
		Subject struct{ Digest dist.Digest }
	}
	raw, err := os.ReadFile(m.at(path))
	check(t, err)
	check(t, json.Unmarshal(raw, &x))
	for _, entry := range x.Manifests {
		m.blobs[entry.Digest.Hex()] = entry.Digest.Hex()[:16]
		m.stored(t, blobFile(entry.Digest), entry.Annotations["org.opencontainers.image.ref.name"])
	}
	for i, layer := range x.Layers {
		name := layer.Annotations["org.opencontainers.image.title"]
		if _, isRecord := strings.CutPrefix(kind, m.release.Hex()+"."); isRecord {
			name = kind + ":" + []string{"statement", "signature"}[i]
		}
		m.blobs[layer.Digest.Hex()] = name
	}
	if len(x.Layers) > 0 && x.Subject.Digest.IsZero() {
		m.blobs[x.Config.Digest.Hex()] = ":manifest"
	}
}

func blobFile(d dist.Digest) string { return filepath.Join("distgate-store/blobs/sha256", d.Hex()) }

func (m *spoilt) places() []place {
	const wheel = "widget-1.0-py3-none-any.whl"
	verify := []string{"verify", "--policy", "distgate.toml"}
	by := func(path ...string) []string { return append(verify[:3:3], path...) }
	stage, review := []string{"stage", "dist"}, []string{"review", "1.0"}
	voted := []string{"approve", m.release.String(), "--statement", "vote.json", "--signature", "vote.json.sig"}
	held := []string{"verify", "1.0", "--policy", "distgate.toml", "--layout", "layout.json"}
	list := []place{
		{file: "dist/" + wheel, verb: by("dist"), fine: "not there"},
		{file: "dist/" + wheel, verb: stage, absent: "*-py3-none-any.whl"},
		{file: "dist/widget-1.0.tar.gz", verb: by("dist"), fine: "not there"},
		{file: "dist/widget-1.0.tar.gz", verb: stage, absent: "*.tar.gz"},
		{file: "dist/" + wheel + ".sigstore.json", verb: stage, absent: wheel},
		{file: "dist/" + wheel + ".sigstore.json", verb: by("dist"), absent: wheel},
		{file: "form.attestation/" + wheel + ".publish.attestation", verb: by("form.attestation"), absent: wheel},
		{file: "form.provenance/" + wheel + ".provenance", verb: by("form.provenance"), absent: wheel},
		{file: "form.jsonl/all.jsonl", verb: by("form.jsonl"), absent: wheel},
		{file: "form.json/elsewhere/bundle.json", verb: by("form.json", "--bundle", "form.json/elsewhere/bundle.json")},
		{file: "root.json", verb: []string{"verify", "dist", "--repository", "acme/widget", "--workflow", ".github/workflows/release.yml",
			"--trusted-root", "root.json"}},
		{file: "requirements.txt", verb: by("-r", "requirements.txt")},
		{file: "distgate.toml", verb: stage},
		{file: "allowed_signers", verb: stage},
		{file: "trusted_root.json", verb: stage},
		{file: "withdrawn.toml", verb: stage, fine: "not there, empty"},
		{file: "vote.json", verb: voted},
		{file: "vote.json.sig", verb: voted},
		{file: "keys/carol", verb: []string{"approve", m.release.String(), "--key", "keys/carol"}},
		{file: "layout.json", verb: held},
		{file: "distgate-store/index.json", verb: review},
		{file: "distgate-store/oci-layout", verb: review, fine: "not there"}, // it is put back
	}
	for _, blob := range slices.Sorted(maps.Keys(m.blobs)) {
		list = append(list, place{file: filepath.Join("distgate-store/blobs/sha256", blob), verb: review, name: m.blobs[blob]})
	}
	return list
}

// try plays all malformations of a place, and then the good file.
func (m *spoilt) try(t *testing.T, p place) {
	path, name := m.at(p.file), filepath.Base(p.file)
	if p.name != "" {
		name = p.name
	}
	good, err := os.ReadFile(path)
	check(t, err)
	before, _, _ := m.run("status", "--json")
	for _, bad := range malformations {
		if strings.Contains(p.fine, bad.how) {
			continue
		}
		check(t, os.RemoveAll(path))
		check(t, bad.make(path, good))
		out, said, code := m.run(p.verb...)
		want := name
		if bad.how == "not there" && p.absent != "" {
			want = p.absent
		}
		switch all := out + said; {
		case code != exitRefused && code != exitUsage && code != exitUndecided:
			t.Errorf("%s: ended with %d:\n%s", bad.how, code, all)
		case !strings.Contains(strings.Join(strings.Fields(all), ""), want):
			t.Errorf("%s: %s is not named:\n%s", bad.how, want, all)
		case strings.Count(all, "refused    ")+strings.Count(all, "distgate: ") > 2:
			t.Errorf("%s: more than one thing is said to be wrong:\n%s", bad.how, all)
		case len(all) > 6000:
			t.Errorf("%s: %d bytes are said", bad.how, len(all))
		case testing.Verbose():
			t.Logf("%s: %d\n%s", bad.how, code, said)
		}
	}
	check(t, os.RemoveAll(path))
	check(t, os.WriteFile(path, good, 0o600))
	if after, _, _ := m.run("status", "--json"); after != before {
		t.Errorf("with the good file in its place again:\n%s", cmp.Diff(before, after))
	}
}

// run runs a verb in this process.
func (m *spoilt) run(verb ...string) (out, said string, code int) {
	var to, aside bytes.Buffer
	code = Main(m.t.Context(), verb, Streams{In: strings.NewReader(""), Out: &to, Err: &aside, Now: time.Now,
		Env: func(name string) string { return map[string]string{"HOME": m.dir}[name] }})
	return to.String(), aside.String(), code
}

package staging

import (
	"bytes"
	"os"
	"testing"

	"github.com/distgate/distgate/attest"
	"github.com/distgate/distgate/attest/sigstoretest"
	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

// names are what a refusal calls each blob of a release.
func names(t *testing.T, s *Store, release dist.Digest) map[dist.Digest]string {
	t.Helper()
	img, _, err := s.manifest(t.Context(), release)
	check(t, err)
	list := map[dist.Digest]string{release: release.String(), img.Config.Digest: "manifest"}
	for _, layer := range img.Layers {
		list[layer.Digest] = layer.Annotations.Title
	}
	return list
}

func TestEveryBlobIsHashedAgain(t *testing.T) {
	w := newWorld(t)
	s, staged := w.staged(t)
	blobs := names(t, s, staged.Digest)
	if len(blobs) != 2+3+3+2 {
		t.Fatalf("got %d blobs, want artifact, manifest, files, bundles and policy", len(blobs))
	}
	damage := map[string]func(raw []byte) []byte{
		"changed":   func(raw []byte) []byte { raw[len(raw)/2] ^= 1; return raw },
		"truncated": func(raw []byte) []byte { return raw[:len(raw)/2] },
		"empty":     func(raw []byte) []byte { return nil },
		"longer":    func(raw []byte) []byte { return append(raw, '\n') },
	}
	for d, name := range blobs {
		whole, err := os.ReadFile(s.blobPath(d))
		check(t, err)
		for what, do := range damage {
			t.Run(name+"/"+what, func(t *testing.T) {
				write(t, s.blobPath(d), do(bytes.Clone(whole)))
				opened, err := w.open(t, s, staged.Digest)
				refusedBy(t, err, name, rule.StoredBytes)
				if !opened.IsZero() {
					t.Error("opened")
				}
			})
		}
		t.Run(name+"/missing", func(t *testing.T) {
			check(t, os.Remove(s.blobPath(d)))
			_, err := w.open(t, s, staged.Digest)
			refusedBy(t, err, name, rule.StoredBytes, "got nothing")
		})
		write(t, s.blobPath(d), whole)
	}
	_, err := w.open(t, s, staged.Digest)
	check(t, err)
}

func TestAllThatIsDamagedIsSaidAtOnce(t *testing.T) {
	w := newWorld(t)
	s, staged := w.staged(t)
	for _, f := range staged.Manifest.Files {
		check(t, os.Remove(s.blobPath(f.Digest)))
	}
	_, err := w.open(t, s, staged.Digest)
	for _, f := range staged.Manifest.Files {
		refusedBy(t, err, f.Name, rule.StoredBytes)
	}
}

func TestAFileChangedAfterOpening(t *testing.T) {
	w := newWorld(t)
	s, staged := w.staged(t)
	f := staged.Manifest.Files[0]
	opened, err := w.open(t, s, staged.Digest)
	check(t, err)
	raw, err := os.ReadFile(s.blobPath(f.Digest))
	check(t, err)
	raw[7] ^= 1
	write(t, s.blobPath(f.Digest), raw)
	r, err := opened.Reader(f.Name)
	check(t, err)
	defer r.Close()
	_, err = new(bytes.Buffer).ReadFrom(r)
	refusedBy(t, err, f.Name, rule.StoredBytes)
}

func TestStagingAgainHealsTheStore(t *testing.T) {
	w := newWorld(t)
	s := emptyStore(t)
	list := w.candidates(t, s, release(t)...)
	v := w.verdict(t, list...)
	staged, err := Stage(t.Context(), s, w.policy, v)
	check(t, err)
	for d := range names(t, s, staged.Digest) {
		write(t, s.blobPath(d), []byte("lost in a power cut"))
	}
	for _, b := range release(t) {
		candidate(t, s, b)
	}
	again, err := Stage(t.Context(), s, w.policy, v)
	check(t, err)
	opened, err := w.open(t, s, staged.Digest)
	if err != nil || again.Digest != staged.Digest || opened.Digest() != staged.Digest {
		t.Errorf("got %v", err)
	}
}

func TestAPolicyThatChanged(t *testing.T) {
	w := newWorld(t)
	s, staged := w.staged(t)
	files := func(f ...PolicyFile) func(*Policy) { return func(p *Policy) { p.Files = f } }
	signers, toml := w.policy.Files[0], w.policy.Files[1]
	for _, test := range []struct {
		what   string
		change func(*Policy)
		file   string
		id     rule.ID
		words  []string
	}{
		{"one line", files(signers, PolicyFile{"distgate.toml", []byte("x")}), "distgate.toml", rule.PolicySame, nil},
		{"a file more", files(signers, toml, PolicyFile{"roots.json", []byte("x")}), "roots.json", rule.PolicySame, []string{"nothing"}},
		{"a file less", files(toml), "keys/allowed_signers", rule.PolicySame, []string{"got nothing"}},
		{"another name", files(toml, PolicyFile{"signers", signers.Raw}), "keys/allowed_signers", rule.PolicySame, nil},
		{"the same files read otherwise", func(p *Policy) { p.Index = "https://test.pypi.org/legacy/" },
			staged.Digest.String(), rule.ReleaseSame, []string{"upload.pypi.org", "test.pypi.org"}},
		{"another environment", func(p *Policy) { p.Environment = "other" }, staged.Digest.String(), rule.ReleaseSame, nil},
		{"a line that leaves a file out", func(p *Policy) { p.LeaveOut = []LeaveOut{{"*.tar.gz", "why"}} },
			"widget-1.0.tar.gz", rule.StageLeftOut, nil},
		{"a ref that is no longer admitted", func(p *Policy) { p.Build.Ref = attest.Exactly("refs/heads/main") },
			"widget-1.0.tar.gz", rule.IdentityRef, nil},
	} {
		t.Run(test.what, func(t *testing.T) {
			p := w.policy
			test.change(&p)
			opened, err := Open(t.Context(), s, staged.Digest, p, w.verifier)
			refusedBy(t, err, test.file, test.id, test.words...)
			if !opened.IsZero() {
				t.Error("opened")
			}
		})
	}
}

func TestAnotherRootDoesNotOpen(t *testing.T) {
	w := newWorld(t)
	s, staged := w.staged(t)
	other, err := sigstoretest.New()
	check(t, err)
	v, err := attest.NewVerifier(rootOf(t, other))
	check(t, err)
	if opened, err := Open(t.Context(), s, staged.Digest, w.policy, v); err == nil || !opened.IsZero() {
		t.Errorf("got %v, %v", opened, err)
	}
}

// An attacker with the store in hand can write any artifact, with the digests
// in order. Then it is another release, and must still prove itself.
func TestAForgedReleaseDoesNotOpen(t *testing.T) {
	w := newWorld(t)
	s, staged := w.staged(t)
	wheel := wheelOf(t, "widget", "1.0", "py3-none-any")
	evil := built{wheel.name, wheelOf(t, "widget", "1.0", "py3-none-any.any").raw} // the same tags, other bytes
	for _, test := range []struct {
		what  string
		forge func(*Manifest)
		file  string
		id    rule.ID
	}{
		{"other bytes of a file", func(m *Manifest) {
			candidate(t, s, evil)
			m.Files[1].Digest, m.Files[1].Size = dist.Sum(evil.raw), int64(len(evil.raw))
		}, wheel.name, rule.SubjectDigest},
		{"a bundle of another file", func(m *Manifest) { m.Files[1].Evidence = m.Files[0].Evidence }, wheel.name, rule.SubjectMissing},
		{"a bundle that is a file", func(m *Manifest) { m.Files[1].Evidence[0].Bundle = m.Files[1].Digest },
			m0(staged, 1).Digest.Hex(), rule.BundleMalformed},
		{"a file under another name", func(m *Manifest) { m.Files[1].Name = "widget-1.0-py3-none-any.any.whl" },
			"widget-1.0-py3-none-any.any.whl", rule.SubjectName},
		{"another commit", func(m *Manifest) { m.Source.Commit = "0000" }, "", rule.ReleaseSame},
		{"another version", func(m *Manifest) { m.Version = "2.0" }, "", rule.ReleaseSame},
		{"better evidence", func(m *Manifest) { m.Files[0].Evidence[0].Hosted = attest.EveryJob }, "", rule.ReleaseSame},
		{"a root that proved nothing", func(m *Manifest) { m.Roots = []dist.Digest{dist.Sum(nil)} }, "", rule.ReleaseSame},
		{"less left out", func(m *Manifest) { m.LeftOut = []LeaveOut{{"a", "b"}} }, "", rule.ReleaseSame},
	} {
		t.Run(test.what, func(t *testing.T) {
			m := staged.Manifest.clone()
			test.forge(&m)
			opened, err := w.open(t, s, forge(t, s, staged.Digest, m))
			refusedBy(t, err, test.file, test.id)
			if !opened.IsZero() {
				t.Error("opened")
			}
		})
	}
}

func m0(r Release, i int) File { return r.Manifest.Files[i] }

// forge writes an artifact like the given release with another manifest.
func forge(t *testing.T, s *Store, release dist.Digest, m Manifest) dist.Digest {
	t.Helper()
	img, _, err := s.manifest(t.Context(), release)
	check(t, err)
	config, err := m.Encode()
	check(t, err)
	img.Config = point(typeManifest, config, "")
	raw, err := img.encode()
	check(t, err)
	plantBlobs(t, s, config, raw)
	return dist.Sum(raw)
}

func TestWhatIsNoReleaseDoesNotOpen(t *testing.T) {
	w := newWorld(t)
	s, staged := w.staged(t)
	img, m, err := s.manifest(t.Context(), staged.Digest)
	check(t, err)
	raw, err := os.ReadFile(s.blobPath(staged.Digest))
	check(t, err)
	file := m.Files[0].Digest
	for what, artifact := range map[string][]byte{
		"a distribution":       nil,
		"an empty object":      []byte("{}"),
		"blanks at the end":    append(bytes.Clone(raw), '\n'),
		"an unknown field":     bytes.Replace(raw, []byte(`{`), []byte(`{"x":1,`), 1),
		"a field in disguise":  bytes.Replace(raw, []byte(`"config"`), []byte(`"Config"`), 1),
		"a doubled field":      bytes.Replace(raw, []byte(`{`), []byte(`{"schemaVersion":2,`), 1),
		"another type":         bytes.Replace(raw, []byte(typeRelease), []byte("application/vnd.distgate.vote.v1"), 1),
		"a digest of nothing":  bytes.Replace(raw, []byte(img.Config.Digest.Hex()), bytes.Repeat([]byte("0"), 64), 1),
		"a config that is one": bytes.Replace(raw, []byte(img.Config.Digest.Hex()), []byte(file.Hex()), 1),
	} {
		t.Run(what, func(t *testing.T) {
			release := file
			if artifact != nil {
				release, err = s.Blobs().Write(artifact)
				check(t, err)
			}
			opened, err := w.open(t, s, release)
			refusedBy(t, err, release.String(), rule.ManifestEncoding)
			if !opened.IsZero() {
				t.Error("opened")
			}
		})
	}
}

// Between the hash of a file and the look into it the store is somebody else's:
// what was seen is part of what the release digest covers.
func TestMetadataIsOfTheBytesThatWereHashed(t *testing.T) {
	w := newWorld(t)
	s, staged := w.staged(t)
	for _, f := range staged.Manifest.Files {
		if f.Metadata.IsZero() {
			t.Fatalf("%s: no digest of its metadata", f.Name)
		}
	}
	other := staged.Manifest.clone()
	other.Files[0].Metadata = dist.Sum([]byte("other metadata"))
	raw, err := other.Encode()
	check(t, err)
	same, err := staged.Manifest.Encode()
	check(t, err)
	if bytes.Equal(raw, same) {
		t.Error("other metadata make the same manifest")
	}
	again, err := w.open(t, s, staged.Digest)
	check(t, err)
	for i, f := range again.Files() {
		if f.Info().Metadata.Digest() != again.Manifest().Files[i].Metadata {
			t.Errorf("%s: the manifest has other metadata than were read", f.File().Name())
		}
	}
}

package staging

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

func vote(by string) Record {
	return Record{Kind: "vote", Statement: []byte(`{"by":"` + by + `"}`), SSHSIG: []byte("-----BEGIN SSH SIGNATURE-----\n")}
}

func TestWhatIsAttachedIsFound(t *testing.T) { everywhere(t, testWhatIsAttachedIsFound) }

func testWhatIsAttachedIsFound(t *testing.T, w world) {
	s, staged := w.staged(t)
	ctx, release := t.Context(), staged.Digest
	receipt := Record{Kind: "receipt", Statement: []byte(`{"files":[]}`), Bundle: []byte(`{"mediaType":"x"}`)}
	for range 2 { // attaching again changes nothing
		for _, r := range []Record{vote("alice"), receipt, vote("bob")} {
			check(t, s.Attach(ctx, release, r))
		}
	}
	for kind, want := range map[string][]Record{
		"vote": {vote("alice"), vote("bob")}, "receipt": {receipt}, "confirmation": nil,
	} {
		got, malformed, err := s.Records(ctx, release, kind)
		check(t, err)
		slices.SortFunc(got, func(a, b Record) int { return bytes.Compare(a.Statement, b.Statement) })
		if diff := cmp.Diff(want, got); diff != "" || malformed != nil {
			t.Errorf("%s: %s%v", kind, diff, malformed)
		}
	}
	if got, malformed, err := s.Records(ctx, dist.Sum(nil), "vote"); got != nil || malformed != nil || err != nil {
		t.Errorf("another release has %v, %v, %v", got, malformed, err)
	}
	if _, err := w.open(t, s, release); err != nil {
		t.Errorf("a record changed the release: %v", err)
	}
}

func TestWhatIsNoRecordIsNotAttached(t *testing.T) { everywhere(t, testWhatIsNoRecordIsNotAttached) }

func testWhatIsNoRecordIsNotAttached(t *testing.T, w world) {
	s, staged := w.staged(t)
	sig := []byte("signature")
	for what, r := range map[string]Record{
		"nothing":           {},
		"no kind":           {Statement: sig, SSHSIG: sig},
		"a kind of path":    {Kind: "../vote", Statement: sig, SSHSIG: sig},
		"a release":         {Kind: "release", Statement: sig, SSHSIG: sig},
		"a long kind":       {Kind: strings.Repeat("a", 33), Statement: sig, SSHSIG: sig},
		"no statement":      {Kind: "vote", SSHSIG: sig},
		"no signature":      {Kind: "vote", Statement: sig},
		"two signatures":    {Kind: "vote", Statement: sig, SSHSIG: sig, Bundle: sig},
		"a huge statement":  {Kind: "vote", Statement: make([]byte, maxRecordPart+1), SSHSIG: sig},
		"a huge signature":  {Kind: "vote", Statement: sig, SSHSIG: make([]byte, maxRecordPart+1)},
		"a huge bundle":     {Kind: "vote", Statement: sig, Bundle: make([]byte, maxRecordPart+1)},
		"a kind of the sea": {Kind: "mañana", Statement: sig, SSHSIG: sig},
	} {
		t.Run(what, func(t *testing.T) {
			refusedBy(t, s.Attach(t.Context(), staged.Digest, r), "record", rule.RecordEncoding)
		})
	}
	refusedBy(t, s.Attach(t.Context(), dist.Sum(nil), vote("alice")), dist.Sum(nil).String(), rule.ReleaseKnown)
	if err := s.Attach(t.Context(), dist.Digest{}, vote("alice")); err == nil {
		t.Error("attached to nothing")
	}
	if _, _, err := s.Records(t.Context(), dist.Digest{}, "vote"); err == nil {
		t.Error("listed the records of nothing")
	}
	if _, _, err := s.Records(t.Context(), staged.Digest, ""); err == nil {
		t.Error("listed records of no kind")
	}
}

func TestAPlantedRecordDecidesAndHidesNothing(t *testing.T) {
	everywhere(t, testAPlantedRecordDecidesAndHidesNothing)
}

func testAPlantedRecordDecidesAndHidesNothing(t *testing.T, w world) {
	_, other := w.staged(t)
	encoded := func(s *Store, release dist.Digest, r Record, change func(*image)) []byte {
		subject, err := s.release(t.Context(), release)
		check(t, err)
		plantBlobs(t, s, []byte("{}"), r.Statement, r.SSHSIG)
		img := r.image(subject)
		change(&img)
		raw, err := img.encode()
		check(t, err)
		return raw
	}
	for _, test := range []struct {
		what     string
		artifact func(s *Store, release dist.Digest) []byte
		tag      func(release dist.Digest) string
		id       rule.ID
	}{
		{"no artifact", func(*Store, dist.Digest) []byte { return []byte("garbage") }, nil, rule.RecordEncoding},
		{"an empty one", func(*Store, dist.Digest) []byte { return []byte("{}") }, nil, rule.RecordEncoding},
		{"a deep one", func(*Store, dist.Digest) []byte { return bytes.Repeat([]byte("["), maxRecordImage) }, nil, rule.RecordEncoding},
		{"a huge one", func(*Store, dist.Digest) []byte { return make([]byte, maxRecordImage+1) }, nil, rule.StoredBytes},
		{"a second encoding", func(s *Store, release dist.Digest) []byte {
			return append(encoded(s, release, vote("mallory"), func(*image) {}), ' ')
		}, nil, rule.RecordEncoding},
		{"one for another release", func(s *Store, release dist.Digest) []byte {
			return encoded(s, release, vote("mallory"), func(m *image) { m.Subject.Digest = other.Digest })
		}, nil, rule.RecordEncoding},
		{"one without a subject", func(s *Store, release dist.Digest) []byte {
			return encoded(s, release, vote("mallory"), func(m *image) { m.Subject = descriptor{} })
		}, nil, rule.RecordEncoding},
		{"one of no kind", func(s *Store, release dist.Digest) []byte {
			return encoded(s, release, vote("mallory"), func(m *image) { m.ArtifactType = "application/vnd.example" })
		}, nil, rule.RecordEncoding},
		{"one without a signature", func(s *Store, release dist.Digest) []byte {
			return encoded(s, release, vote("mallory"), func(m *image) { m.Layers = m.Layers[:1] })
		}, nil, rule.RecordEncoding},
		{"one with a third layer", func(s *Store, release dist.Digest) []byte {
			return encoded(s, release, vote("mallory"), func(m *image) { m.Layers = append(m.Layers, m.Layers[1]) })
		}, nil, rule.RecordEncoding},
		{"one with its layers turned round", func(s *Store, release dist.Digest) []byte {
			return encoded(s, release, vote("mallory"), func(m *image) { slices.Reverse(m.Layers) })
		}, nil, rule.RecordEncoding},
		{"one whose statement is gone", func(s *Store, release dist.Digest) []byte {
			return encoded(s, release, vote("mallory"), func(m *image) { m.Layers[0].Digest = dist.Sum([]byte("gone")) })
		}, nil, rule.StoredBytes},
		{"one whose statement is huge", func(s *Store, release dist.Digest) []byte {
			huge := make([]byte, maxRecordPart+1)
			plantBlobs(t, s, huge)
			return encoded(s, release, vote("mallory"), func(m *image) { m.Layers[0].Digest = dist.Sum(huge) })
		}, nil, rule.StoredBytes},
		{"one under another's tag", func(s *Store, release dist.Digest) []byte {
			return encoded(s, release, vote("mallory"), func(*image) {})
		}, func(release dist.Digest) string { return release.Hex() + ".0123456789abcdef" }, rule.StoreTag},
		{"one under a longer tag", func(s *Store, release dist.Digest) []byte {
			return encoded(s, release, vote("mallory"), func(*image) {})
		}, func(release dist.Digest) string { return release.Hex() + ".confirmed" }, rule.StoreTag},
	} {
		t.Run(test.what, func(t *testing.T) {
			s, staged := w.staged(t)
			release, tag := staged.Digest, ""
			if test.tag != nil {
				tag = test.tag(release)
			}
			check(t, s.Attach(t.Context(), release, vote("alice")))
			artifact := test.artifact(s, release)
			if tag == "" {
				tag = recordTag(release, dist.Sum(artifact))
			}
			plant(t, s, map[string][]byte{tag: artifact})
			check(t, s.Attach(t.Context(), release, vote("bob")))

			got, malformed, err := s.Records(t.Context(), release, "vote")
			check(t, err)
			refusedBy(t, malformed.Err(), "", test.id)
			if len(got) != 2 || len(malformed) != 1 {
				t.Errorf("got %d records and %d malformed ones, want 2 and 1", len(got), len(malformed))
			}
			for _, r := range got {
				if bytes.Contains(r.Statement, []byte("mallory")) {
					t.Errorf("it decides: %s", r.Statement)
				}
			}
			_, err = w.open(t, s, release)
			check(t, err)
		})
	}
}

func TestAFloodOfRecordsIsRefused(t *testing.T) { everywhere(t, testAFloodOfRecordsIsRefused) }

func testAFloodOfRecordsIsRefused(t *testing.T, w world) {
	s, staged := w.staged(t)
	subject, err := s.release(t.Context(), staged.Digest)
	check(t, err)
	records, blobs := map[string][]byte{}, [][]byte{[]byte("{}")}
	for i := range maxRecords + 1 {
		r := vote(fmt.Sprint(i))
		raw, err := r.image(subject).encode()
		check(t, err)
		blobs = append(blobs, r.Statement, r.SSHSIG)
		records[recordTag(staged.Digest, dist.Sum(raw))] = raw
	}
	flood(t, s, records, blobs...)
	got, _, err := s.Records(t.Context(), staged.Digest, "vote")
	refusedBy(t, err, s.name, rule.RecordEncoding)
	if got != nil {
		t.Errorf("got %d records", len(got))
	}
}

// The test binary plays other processes: see TestMain.
const processEnv = "STAGING_TEST_PROCESS"

// TestMain is a writer of its own where the environment says "MODE PLACE RELEASE
// WRITER COUNT". It prints a line for each record that it has attached.
func TestMain(m *testing.M) {
	play := os.Getenv(processEnv)
	if play == "" {
		code := m.Run()
		if r, err := realRegistry(); err == nil {
			r.Close()
		}
		os.Exit(code)
	}
	if err := process(play); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func process(play string) error {
	var mode, place, hex, writer string
	var count int
	if _, err := fmt.Sscan(play, &mode, &place, &hex, &writer, &count); err != nil {
		return err
	}
	release, err := dist.ParseDigest(hex)
	if err != nil {
		return err
	}
	files, err := os.MkdirTemp("", "files")
	if err != nil {
		return err
	}
	defer os.RemoveAll(files)
	s, err := openPlace(place, files)
	if err != nil {
		return err
	}
	if mode == "die" {
		return dieWriting(s)
	}
	for i := range count {
		who := fmt.Sprint(writer, "-", i)
		if err := s.Attach(context.Background(), release, vote(who)); err != nil {
			return err
		}
		fmt.Println(who)
	}
	return nil
}

// dieWriting does what replace does, under the lock, and is killed half way.
func dieWriting(s *Store) error {
	return folderOf(s).locked(context.Background(), func() error {
		raw, err := os.ReadFile(filepath.Join(dirOf(s), indexFile))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dirOf(s), "ingest", indexFile+".half"), raw[:len(raw)/2], 0o644); err != nil {
			return err
		}
		fmt.Println("dying")
		self, err := os.FindProcess(os.Getpid())
		if err != nil {
			return err
		}
		if err := self.Kill(); err != nil {
			return err
		}
		select {}
	})
}

func start(t *testing.T, mode string, s *Store, release dist.Digest, writer string, count int) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), "TMPDIR="+t.TempDir(), fmt.Sprintf("%s=%s %s %s %s %d", processEnv, mode, placeOf(s), release, writer, count))
	c.Stderr = os.Stderr
	out, err := c.StdoutPipe()
	check(t, err)
	check(t, c.Start())
	return c, bufio.NewScanner(out)
}

// found are the votes in the store, by who cast them.
func found(t *testing.T, s *Store, release dist.Digest) map[string]bool {
	t.Helper()
	records, malformed, err := s.Records(t.Context(), release, "vote")
	check(t, err)
	if malformed != nil {
		t.Errorf("malformed: %v", malformed)
	}
	voters := map[string]bool{}
	for _, r := range records {
		voters[strings.TrimSuffix(strings.TrimPrefix(string(r.Statement), `{"by":"`), `"}`)] = true
	}
	return voters
}

func TestManyProcessesAttachAtOnce(t *testing.T) { everywhere(t, testManyProcessesAttachAtOnce) }

func testManyProcessesAttachAtOnce(t *testing.T, w world) {
	s, staged := w.staged(t)
	const writers, each = 8, 12
	var running sync.WaitGroup
	for i := range writers {
		c, out := start(t, "attach", s, staged.Digest, fmt.Sprint("writer", i), each)
		running.Go(func() {
			for out.Scan() {
			}
			if err := c.Wait(); err != nil {
				t.Error(err)
			}
		})
	}
	running.Wait()
	if got := len(found(t, s, staged.Digest)); got != writers*each {
		t.Errorf("got %d records, want %d", got, writers*each)
	}
}

// Two processes attach records without end, and one is killed wherever it
// happens to be, again and again. What a process said was attached is there.
func TestAProcessIsKilledWhileItAttaches(t *testing.T) {
	everywhere(t, testAProcessIsKilledWhileItAttaches)
}

func testAProcessIsKilledWhileItAttaches(t *testing.T, w world) {
	s, staged := w.staged(t)
	const rounds = 10
	var attached []string
	survivor, out := start(t, "attach", s, staged.Digest, "survivor", 60)
	var reading sync.WaitGroup
	reading.Go(func() {
		for out.Scan() {
			attached = append(attached, out.Text())
		}
	})
	var killed []string
	for i := range rounds {
		victim, out := start(t, "attach", s, staged.Digest, fmt.Sprint("victim", i), 1000)
		for n := 0; n < 1+i%3 && out.Scan(); n++ {
			killed = append(killed, out.Text())
		}
		check(t, victim.Process.Kill())
		for out.Scan() {
			killed = append(killed, out.Text())
		}
		var exit *exec.ExitError
		if err := victim.Wait(); !errors.As(err, &exit) || exit.Exited() {
			t.Fatalf("it was to be killed: %v", err)
		}
	}
	reading.Wait()
	check(t, survivor.Wait())
	got := found(t, s, staged.Digest)
	for _, who := range append(attached, killed...) {
		if !got[who] {
			t.Errorf("%s was attached and is lost", who)
		}
	}
	if len(attached) != 60 || len(killed) < rounds {
		t.Errorf("got %d and %d records: nothing was tried", len(attached), len(killed))
	}
	_, err := w.open(t, s, staged.Digest)
	check(t, err)
}

func TestALockDiesWithItsProcess(t *testing.T) {
	w := newWorld(t)
	s, staged := w.staged(t)
	check(t, s.Attach(t.Context(), staged.Digest, vote("alice")))
	c, out := start(t, "die", s, staged.Digest, "mallory", 0)
	if !out.Scan() {
		t.Fatal("it did not come to the lock")
	}
	check(t, s.Attach(t.Context(), staged.Digest, vote("bob")))
	var exit *exec.ExitError
	if err := c.Wait(); !errors.As(err, &exit) || exit.Exited() {
		t.Fatalf("it was to be killed: %v", err)
	}
	if diff := cmp.Diff(map[string]bool{"alice": true, "bob": true}, found(t, s, staged.Digest)); diff != "" {
		t.Error(diff)
	}
}

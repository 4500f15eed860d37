package dist_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

func TestADigestHasOneText(t *testing.T) {
	const hello = "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
	d, err := dist.ParseDigest(hello)
	if err != nil || d != dist.Sum([]byte("hello")) || d.String() != hello || "sha256:"+d.Hex() != hello {
		t.Fatalf("got %v, %v", d, err)
	}
	for _, s := range []string{
		"", "sha256:", strings.TrimPrefix(hello, "sha256:"), hello[:70], hello + "0", strings.ToUpper(hello),
		"sha256:" + strings.ToUpper(d.Hex()), "sha512:" + d.Hex(), " " + hello, hello + "\n",
		"sha256:" + strings.Repeat("g", 64), "sha256:" + strings.Repeat("0", 64), strings.Repeat("x", 1<<20),
	} {
		if _, err := dist.ParseDigest(s); refused(t, err) != rule.DigestForm {
			t.Errorf("%.80q: got %v", s, err)
		}
	}
}

func TestADigestIsTextInJSON(t *testing.T) {
	d := dist.Sum([]byte("hello"))
	b, err := json.Marshal(map[dist.Digest]dist.Digest{d: d})
	if err != nil {
		t.Fatal(err)
	}
	var back map[dist.Digest]dist.Digest
	if err := json.Unmarshal(b, &back); err != nil || back[d] != d {
		t.Errorf("%s: got %v, %v", b, back, err)
	}
	if err := json.Unmarshal([]byte(`"sha256:00"`), new(dist.Digest)); err == nil {
		t.Error("a short digest was read")
	}
}

func TestCopyHashesWhatItWrites(t *testing.T) {
	for _, size := range []int{1, 1<<20 - 1, 1 << 20, 1<<20 + 1, 5 << 20} {
		content := bytes.Repeat([]byte("7"), size)
		var out bytes.Buffer
		f, err := dist.Copy(&out, iotest.HalfReader(bytes.NewReader(content)), "a.whl", int64(size))
		if err != nil {
			t.Fatal(err)
		}
		if f.Name() != "a.whl" || f.Size() != int64(size) || f.Digest() != dist.Sum(content) || f.IsZero() ||
			!bytes.Equal(out.Bytes(), content) {
			t.Errorf("%d bytes: got %s of %d bytes, %s", size, f.Name(), f.Size(), f.Digest())
		}
	}
}

func TestCopyTakesNoFileBeyondItsBounds(t *testing.T) {
	for _, c := range []struct{ size, max int }{{0, 10}, {11, 10}, {3 << 20, 1 << 20}, {1, 0}, {1, -1}} {
		var out bytes.Buffer
		f, err := dist.Copy(&out, bytes.NewReader(make([]byte, c.size)), "a.whl", int64(c.max))
		if refused(t, err) != rule.FileSize || !f.IsZero() || out.Len() > max(c.max, 0) {
			t.Errorf("%d bytes, at most %d: got %v, %v, and %d bytes written", c.size, c.max, f, err, out.Len())
		}
	}
}

// A source that breaks off says so in many ways, one of which looks like an end.
func TestABrokenSourceIsNoFile(t *testing.T) {
	for _, broken := range []error{errors.New("disk"), io.ErrUnexpectedEOF, io.ErrClosedPipe} {
		src := io.MultiReader(strings.NewReader("begun"), iotest.ErrReader(broken))
		f, err := dist.Copy(io.Discard, src, "a.whl", 100)
		if !errors.Is(err, broken) || errors.As(err, new(rule.Refusals)) || !f.IsZero() {
			t.Errorf("%v: got %v, %v", broken, f, err)
		}
	}
	if _, err := dist.Copy(io.Discard, stuck{}, "a.whl", 100); !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("a reader without end: got %v", err)
	}
	if _, err := dist.Copy(full{}, strings.NewReader("x"), "a.whl", 100); err == nil {
		t.Error("a full disk: no error")
	}
}

type stuck struct{}

func (stuck) Read([]byte) (int, error) { return 0, nil }

type full struct{}

func (full) Write([]byte) (int, error) { return 0, nil }

func TestANameFromOutsideIsAPlainBaseName(t *testing.T) {
	for _, name := range []string{
		"", ".", "..", "a/b", "/a", `a\b`, "a\x00b", "a\nb", "\x1b[31mred", "a\x7fb", "a\u0085b", "a\u2028b",
		"gpj.\u202eexe", "a\u2066b", "a\u200fb", "a\u200bb", "\ufeffa", "a\xff", strings.Repeat("a", 256),
		"::set-output\r", strings.Repeat("é", 128),
	} {
		f, err := dist.Copy(io.Discard, strings.NewReader("x"), name, 100)
		if refused(t, err) != rule.FileName || !f.IsZero() {
			t.Errorf("%.40q: got %v, %v", name, f, err)
		}
	}
	for _, name := range []string{"a", "a b", "bár", "...", strings.Repeat("a", 255)} {
		if _, err := dist.Copy(io.Discard, strings.NewReader("x"), name, 100); err != nil {
			t.Errorf("%q: got %v", name, err)
		}
	}
}

func TestAProofIsNotEncoded(t *testing.T) {
	f, err := dist.Copy(io.Discard, strings.NewReader("x"), "a.whl", 100)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := json.Marshal([]any{f}); err != nil || string(b) != "[{}]" {
		t.Errorf("got %s, %v", b, err)
	}
}

func BenchmarkCopy(b *testing.B) {
	content := bytes.Repeat([]byte("0123456789abcdef"), 12_700_000/16)
	b.SetBytes(int64(len(content)))
	for b.Loop() {
		if _, err := dist.Copy(io.Discard, bytes.NewReader(content), wheelName, dist.MaxSize); err != nil {
			b.Fatal(err)
		}
	}
}

package rst_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"net/mail"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/distgate/distgate/staging/dist/rst"
)

// python is one that has docutils: the first there is, or the system's own.
func python(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"python3", "/usr/bin/python3"} {
		if exec.Command(name, "-c", "import docutils, pygments").Run() == nil {
			return name
		}
	}
	if os.Getenv("DISTGATE_PEERS") == "required" {
		t.Fatal("no python3 with docutils and pygments here")
	}
	t.Skip("no python3 with docutils and pygments here")
	return ""
}

// docutils renders texts with the real thing, as PyPI does. It gives why each does
// not render, or "".
func docutils(t *testing.T, texts []string) (version string, said []string) {
	t.Helper()
	python := python(t)
	var in bytes.Buffer
	for _, text := range texts {
		if err := json.NewEncoder(&in).Encode(text); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(python, filepath.Join("testdata", "render.py"))
	cmd.Stdin, cmd.Stderr = &in, os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	decoder := json.NewDecoder(bytes.NewReader(out))
	if err := decoder.Decode(&version); err != nil {
		t.Fatal(err)
	}
	for {
		var one string
		if err := decoder.Decode(&one); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		said = append(said, one)
	}
	if len(said) != len(texts) {
		t.Fatalf("docutils says something of %d texts, want %d", len(said), len(texts))
	}
	return version, said
}

// What older versions of docutils say and 0.23 does not, and the other way round.
var (
	olderSays = []string{
		`Duplicate explicit target name`, `forming a circular reference`, `Unknown directive type "rst-class"`, `unknown option: "loading"`,
		`No Pygments lexer found for "none"`, `not a positive measure`, "| e\u0301",
	}
	newerSays = []string{`content expected.`, `Transition at the`}
)

func saysOne(what string, of []string) bool {
	return slices.ContainsFunc(of, func(one string) bool { return strings.Contains(what, one) })
}

// agrees holds Check against docutils: what it refuses for certain docutils refuses,
// and what it finds nothing in docutils renders.
func agrees(t *testing.T, texts []string) {
	t.Helper()
	version, said := docutils(t, texts)
	older := version < "0.23"
	counts := map[string]int{}
	for i, text := range texts {
		faults := rst.Check(text)
		sure := slices.ContainsFunc(faults, func(f rst.Fault) bool { return f.Sure })
		switch {
		case len(faults) > 0 && !sure:
			counts["not decided"]++
		case sure == (said[i] != ""):
			counts["agree"]++
		case older && (sure && saysOne(faults[0].What, newerSays) || !sure && saysOne(said[i], olderSays)):
			counts["of another version"]++
		default:
			t.Errorf("%.2000q:\ndocutils %s: %q\nhere: %v", text, version, said[i], faults)
		}
	}
	t.Logf("docutils %s, %d texts: %v", version, len(texts), counts)
}

func TestAgreesWithDocutils(t *testing.T) {
	agrees(t, slices.Sorted(maps.Keys(texts())))
}

func TestAgreesWithDocutilsOfRealDescriptions(t *testing.T) {
	agrees(t, realDescriptions(t))
}

// Texts that were changed at random, as by hands that slip.
func TestAgreesWithDocutilsOfMutations(t *testing.T) {
	all := slices.DeleteFunc(slices.Sorted(maps.Keys(texts())), func(text string) bool { return len(text) > 3000 })
	random := rand.New(rand.NewPCG(1, 2))
	var changed []string
	for range 600 {
		changed = append(changed, mutate(random, all[random.IntN(len(all))]+"\n"+all[random.IntN(len(all))]))
	}
	agrees(t, changed)
}

func mutate(random *rand.Rand, text string) string {
	marks := []string{"*", "``", "`", "_", "|", "|_", "[1]_", ":", "::", "- ", "1. ", ".. ", ".. note:: ", "  ", "   ", "\n", "\n\n",
		"=====", "---", "\\", "+---+", ":a: ", "<", "日", ".. _a: ", "__ x", ">>> ", "| "}
	for range 1 + random.IntN(3) {
		at := random.IntN(len(text))
		for !isStart(text[at]) {
			at--
		}
		lines := strings.SplitAfter(text, "\n")
		n := random.IntN(len(lines))
		switch random.IntN(5) {
		case 0:
			text = text[:at] + marks[random.IntN(len(marks))] + text[at:]
		case 1:
			text = strings.Join(slices.Delete(lines, n, n+1), "") + "\n"
		case 2:
			lines[n] = "  " + lines[n]
			text = strings.Join(lines, "")
		case 3:
			lines[n] = strings.TrimLeft(lines[n], " ")
			text = strings.Join(lines, "") + "\n"
		case 4:
			text = strings.Join(slices.Insert(lines, n, marks[random.IntN(len(marks))]+"\n"), "")
		}
	}
	return text
}

// isStart tells whether a byte begins a character.
func isStart(b byte) bool { return b&0xc0 != 0x80 }

// realDescriptions are those of all real distributions that have no other type.
func realDescriptions(t *testing.T) (all []string) {
	t.Helper()
	root := os.Getenv("DISTGATE_VECTORS")
	if root == "" {
		t.Skip("DISTGATE_VECTORS is not set")
	}
	err := filepath.WalkDir(filepath.Join(root, "python-dists"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		for _, metadata := range metadataIn(path) {
			message, err := mail.ReadMessage(strings.NewReader(metadata))
			if err != nil || strings.HasPrefix(message.Header.Get("Description-Content-Type"), "text/m") {
				continue
			}
			text, _ := io.ReadAll(message.Body)
			if header := message.Header.Get("Description"); len(bytes.TrimSpace(text)) == 0 && header != "UNKNOWN" {
				text = []byte(header)
			}
			if len(bytes.TrimSpace(text)) > 0 {
				all = append(all, string(text))
			}
		}
		return nil
	})
	if err != nil || len(all) < 20 {
		t.Fatalf("got %d descriptions, %v", len(all), err)
	}
	return all
}

// metadataIn are the METADATA and PKG-INFO in an archive, of those that can be read.
func metadataIn(path string) (all []string) {
	if z, err := zip.OpenReader(path); err == nil {
		defer z.Close()
		for _, f := range z.File {
			if r, err := f.Open(); err == nil && isMetadata(f.Name) {
				b, _ := io.ReadAll(r)
				all = append(all, string(b))
			}
		}
		return all
	}
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	unzipped, err := gzip.NewReader(f)
	if err != nil {
		return nil
	}
	for r := tar.NewReader(unzipped); ; {
		h, err := r.Next()
		if err != nil {
			return all
		}
		if isMetadata(h.Name) {
			b, _ := io.ReadAll(r)
			all = append(all, string(b))
		}
	}
}

func isMetadata(name string) bool {
	return strings.HasSuffix(name, "/METADATA") || strings.HasSuffix(name, "PKG-INFO")
}

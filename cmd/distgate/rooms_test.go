package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/distgate/distgate/"

// rooms says which rooms a room may import. It may also import what those may.
// A room that is not here may import nothing of ours, and nobody may import it.
var rooms = map[string][]string{
	"staging/rule":         {},
	"staging/dist/rst":     {},
	"staging/dist":         {"staging/rule", "staging/dist/rst"},
	"staging/blob":         {"staging/dist"},
	"attest":               {"staging/dist"},
	"staging":              {"attest", "staging/blob"},
	"approval":             {"staging"},
	"publish":              {"approval"},
	"workflows":            {"attest", "staging/blob"},
	"workflows/audit":      {"workflows", "workflows/template"},
	"workflows/template":   {"staging/rule", "workflows"},
	"cmd/internal/report":  {"approval", "workflows/audit"},
	"cmd/internal/command": {"cmd/internal/report", "publish", "workflows/audit", "workflows/template"},
	"cmd/distgate":         {"cmd/internal/command"},

	"workflows/githubtest": {},
	"attest/sigstoretest":  {},
	"publish/pypitest":     {},
	"staging/registrytest": {},
	"cmd/internal/world":   {"workflows/githubtest", "attest/sigstoretest", "publish/pypitest"},
	"cmd/sandbox":          {"cmd/internal/command", "cmd/internal/world"},
}

// emulators may be imported by tests anywhere, and are never part of distgate.
var emulators = []string{"workflows/githubtest", "attest/sigstoretest", "publish/pypitest", "staging/registrytest", "cmd/internal/world"}

// library is who alone may import a module that has a room of its own.
var library = map[string][]string{
	"github.com/sigstore/sigstore-go": {"attest", "attest/sigstoretest", "publish/pypitest"},
	"github.com/sigstore/rekor":       {"attest", "attest/sigstoretest"},
	"github.com/google/go-github":     {"workflows", "workflows/audit"},
	"github.com/rhysd/actionlint":     {"workflows", "workflows/audit"},
	"github.com/spf13/cobra":          {"cmd/internal/command", "cmd/sandbox"},
	"github.com/pelletier/go-toml":    {"cmd/internal/command", "cmd/sandbox"},
	"go.yaml.in/yaml":                 {"workflows", "workflows/audit", "workflows/template"},
}

type listed struct {
	ImportPath                         string
	Imports, TestImports, XTestImports []string
	Deps                               []string
}

func list(t *testing.T, pattern string) (packages []listed) {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports,TestImports,XTestImports,Deps", pattern).Output()
	if err != nil {
		t.Fatal(err)
	}
	for values := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := values.Decode(&p); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
}

// allowed are all the rooms that one may import, its own name among them.
func allowed(room string) []string {
	all := []string{room}
	for _, next := range rooms[room] {
		all = append(all, allowed(next)...)
	}
	return all
}

func TestRoomsImportInOneDirection(t *testing.T) {
	packages := list(t, module+"...")
	if len(packages) < len(rooms) {
		t.Fatalf("go list found %d packages", len(packages))
	}
	for _, p := range packages {
		room := strings.TrimPrefix(p.ImportPath, module)
		if _, known := rooms[room]; !known {
			t.Errorf("%s is a room without a place in the house", room)
		}
		may := allowed(room)
		for _, path := range p.Imports {
			check(t, room, path, may)
		}
		for _, path := range append(p.TestImports, p.XTestImports...) {
			check(t, room+" (test)", path, append(slices.Clone(may), allowedInTests(room)...))
		}
	}
}

// allowedInTests are the emulators, and workflows, whose tokens every test of a
// signer needs. An emulator's tests may hold it against any room.
func allowedInTests(room string) []string {
	if slices.Contains(emulators, room) {
		return slices.Collect(maps.Keys(rooms))
	}
	return append(slices.Clone(emulators), "workflows")
}

func check(t *testing.T, room, path string, may []string) {
	t.Helper()
	if ours, ok := strings.CutPrefix(path, module); ok && !slices.Contains(may, ours) {
		t.Errorf("%s imports %s", room, ours)
	}
	for prefix, only := range library {
		if strings.HasPrefix(path, prefix) && !strings.HasSuffix(room, "(test)") && !slices.Contains(only, room) {
			t.Errorf("%s imports %s, which only %v may", room, path, only)
		}
	}
}

func TestNoEmulatorIsLinked(t *testing.T) {
	deps := list(t, module+"cmd/distgate")[0].Deps
	if !slices.Contains(deps, module+"publish") {
		t.Fatal("the list of dependencies is not distgate's")
	}
	for _, emulator := range emulators {
		if slices.Contains(deps, module+emulator) {
			t.Errorf("distgate links %s", emulator)
		}
	}
}

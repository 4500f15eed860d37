package command

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/distgate/distgate/approval"
	"github.com/distgate/distgate/staging"
	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

// evil is what somebody might put wherever text comes from outside.
const evil = "x\n::set-output name=release::evil\r##[error]y%0A::z,:\u202e\x1b[2J"

// inJob is a job of GitHub Actions, whose log is the builder.
func inJob(t *testing.T) (Streams, *strings.Builder) {
	log, dir := &strings.Builder{}, t.TempDir()
	return Streams{Out: log, Err: log, Env: func(name string) string {
		return map[string]string{
			"GITHUB_ACTIONS": "true", "GITHUB_OUTPUT": filepath.Join(dir, "output"), "GITHUB_STEP_SUMMARY": filepath.Join(dir, "summary"),
		}[name]
	}}, log
}

// commands are the lines of a log that the runner would take for commands.
func commands(log string) (lines []string) {
	for line := range strings.SplitSeq(strings.ReplaceAll(log, "\r", "\n"), "\n") {
		if strings.HasPrefix(strings.TrimSpace(line), "::") || strings.Contains(line, "##[") {
			lines = append(lines, line)
		}
	}
	return lines
}

func TestAnnotations(t *testing.T) {
	many := make(rule.Refusals, 12)
	for i := range many {
		many[i] = rule.Refusal{File: "a.whl", Rule: rule.OneOfEach, Want: "1", Got: "2", Hint: "3"}
	}
	for _, c := range []struct {
		name   string
		err    error
		number int    // of workflow commands
		want   string // the first of them
	}{
		{"nothing", nil, 0, ""},
		{"a refusal", rule.Refusals{{File: "a.whl", Rule: rule.OneProject, Want: "100%", Got: "b, c", Hint: "d"}}, 1,
			"::error title=refused%3A one-project%3A a.whl::wanted 100%25%0Agot b, c%0Anext: d"},
		{"text from outside", rule.Refusals{{File: evil, Rule: rule.OneProject, Want: evil, Got: evil, Hint: evil}}, 1,
			`::error title=refused%3A one-project%3A x\u{a}%3A\%3Aset-output name=release%3A\%3Aevil\u{d}##\[error]y%250A%3A\%3Az%2C%3A` +
				`\u{202e}\u{1b}[2J::wanted x\u{a}:\:set-output`},
		{"many refusals", many, maxAnnotations, "::error title=refused%3A one-of-each%3A a.whl::"},
		{"waiting", fmt.Errorf("x: %w", approval.Waiting{Have: 1, Need: 2, May: []string{"bob"}}), 1,
			"::warning title=waiting for votes::1 of 2 people approved sha256:"},
		{"usage", usagef("name a verb"), 1, "::error title=distgate::name a verb"},
		{"undecided", errors.New("disk\nfull"), 1, `::error title=could not decide::disk\u{a}full`},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, log := inJob(t)
			inActions(s).annotate(c.err)
			got := commands(log.String())
			if len(got) != c.number || len(got) > 0 && !strings.HasPrefix(got[0], c.want) {
				t.Errorf("want %d commands that begin with %s\ngot %s", c.number, c.want, log)
			}
			elsewhere := &strings.Builder{}
			inActions(Streams{Err: elsewhere, Env: func(string) string { return "" }}).annotate(c.err)
			if elsewhere.Len() > 0 {
				t.Errorf("outside of a job: %s", elsewhere)
			}
		})
	}
}

func TestGroupsAndMasks(t *testing.T) {
	s, log := inJob(t)
	a := inActions(s)
	a.mask("pypi-AgEI%0Dx")
	a.group(s.Out, "files of "+evil, func() { printer{s.Out}.line("%s", evil) })
	want := []string{"::add-mask::pypi-AgEI%250Dx",
		`::group::files of x\u{a}:\:set-output name=release:\:evil\u{d}##\[error]y%250A:\:z,:\u{202e}\u{1b}[2J`, "::endgroup::"}
	if got := commands(log.String()); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("want %q\ngot %q", want, got)
	}
}

func TestOutputsAreOneLineEach(t *testing.T) {
	s, _ := inJob(t)
	a := inActions(s)
	for _, value := range []string{"1.0\nrelease=evil", "1.0\rx", "1.0\x00"} {
		if err := a.outputs([]output{{"project", "widget"}, {"version", value}}); err == nil {
			t.Errorf("%q is taken", value)
		}
	}
	for _, o := range []output{{"version", "1.0"}, {"title", "a<<b=c%"}} {
		if err := a.outputs([]output{o}); err != nil {
			t.Error(err)
		}
	}
	raw, err := os.ReadFile(a.output)
	if err != nil || string(raw) != "version=1.0\ntitle=a<<b=c%\n" {
		t.Errorf("got %q, %v", raw, err)
	}
}

func FuzzWorkflowCommand(f *testing.F) {
	f.Add(evil, evil)
	f.Fuzz(func(t *testing.T, title, text string) {
		s, log := inJob(t)
		inActions(s).command("error", "a"+plain(title), plain(text))
		line := log.String()
		properties, _, found := strings.Cut(strings.TrimPrefix(line, "::error title=a"), "::")
		if !found || strings.Count(line, "\n") != 1 || strings.ContainsAny(properties, ":,\r") || strings.ContainsRune(line, '\r') {
			t.Errorf("%q is not one command with one property", line)
		}
	})
}

// The digest in the title is as short as in every next command.
func TestTitleNamesTheRelease(t *testing.T) {
	m := staging.Manifest{Project: "numpy", Version: "2.4.0", Files: make([]staging.File, 72)}
	digest, err := dist.ParseDigest("sha256:" + strings.Repeat("9f2c4be07d15aa63", 4))
	if err != nil {
		t.Fatal(err)
	}
	want := "numpy 2.4.0 · 72 files · sha256:9f2c4be07d15…"
	for _, o := range releaseOutputs(digest, m) {
		if o.name == "title" && o.value != want {
			t.Errorf("want %s, got %s", want, o.value)
		}
	}
}

package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/distgate/distgate/cmd/internal/command"
	"github.com/distgate/distgate/cmd/internal/world"
)

// run plays what is asked for, without a terminal, and returns what a reader
// sees.
func run(ctx context.Context, args ...string) (code int, out, problems string) {
	var o, e bytes.Buffer
	code = Main(ctx, args, streams(&o, &e))
	return code, o.String(), e.String()
}

func streams(out, problems io.Writer) command.Streams {
	return command.Streams{
		In: strings.NewReader(""), Out: out, Err: problems, Env: os.Getenv, Now: time.Now,
	}
}

func TestTheDemoPlaysAReleaseAndWhatMustNotPass(t *testing.T) {
	code, out, problems := run(t.Context(), "demo")
	if code != exitDone || problems != "" {
		t.Fatalf("ended with %d\n%s\n%s", code, out, problems)
	}
	for line := range strings.Lines(out) {
		line = strings.TrimRight(line, "\n")
		long := func(word string) bool { return len(word) >= 40 } // a digest or an address, which is never broken
		if utf8.RuneCountInString(line) > 80 && !strings.HasPrefix(line, "$ ") && !slices.ContainsFunc(strings.Fields(line), long) {
			t.Errorf("%d columns: %s", utf8.RuneCountInString(line), line)
		}
	}
	rest := out
	for _, want := range []string{
		"$ ls dist\n", "widget-1.0.tar.gz.sigstore.json\n",
		"$ distgate verify dist/", "\nverified ",
		"$ distgate stage --run ", "\nstaged ",
		"$ distgate review 1.0 --html report.html\n", "\nnot proven\n",
		"$ distgate approve 1.0 --key keys/alice\nalice@example.org: to approve, type ", "\nvoted ", "\nwaiting ",
		"$ distgate approve https://github.com/acme/widget-release/actions/runs/", "\nbob@example.org: to approve, type ", "\nvoted ",
		"$ distgate publish 1.0 --patience 1s\n", "\nunfinished 2 of 4 files on index local\n", "\n  resume     dave, who started the run,",
		"\n7. The upload dies and comes back\n", "$ distgate publish 1.0\n", "\npresent    ", "\nsending    2 files", "\npublished ",
		"$ distgate status\npublished ",
		"\nsame       widget-1.0-py3-none-any.whl\n",
		"$ distgate reconcile\nforeign    widget 1.0.1", "\n  rule       reconcile-foreign\n",
		"$ distgate withdraw 1.0.1 ", "\n  paste      not-by-us\n", "\n[[withdrawn]]\n",
		"$ distgate reconcile\n", "\n2 versions on index local, 0 things not in agreement\n",
		"$ distgate publish 1.1\nwaiting ", "\nrefused    vote ", "by alice@example.org\n  rule       vote-release\n",
		"$ distgate publish 1.1\nrefused    widget-1.1-py3-none-any.whl\n  rule       stored-bytes\n",
		"$ distgate stage dist-1.2\nrefused    widget-1.2-py3-none-any.whl\n  rule       identity-runner\n",
		"$ distgate stage dist-1.3\nrefused    widget-1.3-py3-none-any.whl\n  rule       identity-repository\n",
		"\npublished  what two people approved, and nothing else\n",
	} {
		_, after, found := strings.Cut(rest, want)
		if !found {
			t.Fatalf("want %q in what follows:\n%s", want, rest)
		}
		rest = after
	}
	lines := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
	kept := lines[len(lines)-1]
	page, err := os.ReadFile(kept)
	if err != nil || !bytes.HasPrefix(page, []byte("<!DOCTYPE html>")) || !bytes.Contains(page, []byte("widget")) {
		t.Errorf("want the path of the report at the end, got %q (%v)", kept, err)
	}
	if err := os.Remove(kept); err != nil {
		t.Error(err)
	}
	pip := strings.Contains(out, " -m pip ") && strings.Contains(out, "\nwidget 1.0 for ")
	if !pip && !strings.Contains(out, "There is no Python with pip") {
		t.Error("the demo neither used pip nor said why not")
	}
	if !pip && os.Getenv("DISTGATE_PEERS") == "required" {
		t.Error("pip is required, and was not used")
	}
}

// Digests and URLs stay whole; all else that the demo says itself fits.
func TestTheDemoSpeaksIn80Columns(t *testing.T) {
	texts := []string{opening, usage}
	for _, a := range append(acts(), afterwards()...) {
		texts = append(texts, a.title, a.text)
	}
	for _, a := range attacks() {
		texts = append(texts, a.title, a.text)
	}
	for _, text := range texts {
		for line := range strings.Lines(text) {
			if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > 80 {
				t.Errorf("%d columns: %s", n, line)
			}
		}
	}
}

func TestTheDemoLeavesNothingBehind(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	t.Setenv("TMP", os.Getenv("TMPDIR"))
	before, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // in the middle of it, as Ctrl-C does
	if code, out, _ := run(ctx, "demo"); code != exitFailed {
		t.Errorf("ended with %d\n%s", code, out)
	}
	if after, err := os.Getwd(); err != nil || after != before {
		t.Errorf("left in %s (%v), want %s", after, err, before)
	}
	left, err := os.ReadDir(os.TempDir())
	if err != nil || len(left) > 0 {
		t.Errorf("got %v, %v in the folder for temporary files", left, err)
	}
}

// inWorld is a demo whose folder has a project and a build.
func inWorld(t *testing.T) (*demo, *bytes.Buffer) {
	t.Helper()
	w, err := world.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	t.Chdir(t.TempDir())
	var out bytes.Buffer
	d := &demo{player: player{streams(&out, &out)}, world: w}
	if err := errors.Join(d.settle(), d.build(t.Context())); err != nil {
		t.Fatal(err)
	}
	return d, &out
}

func TestWhatEndsOtherwiseThanItMustEndsTheDemo(t *testing.T) {
	d, out := inWorld(t)
	for _, v := range []verb{
		{line: "stage dist", want: refused},                  // passes, and must not
		{line: "stage dist", want: refused, show: results},   //
		{line: "approve 1.0 --key keys/mallory"},             // is refused, and must not be
		{line: "stage dist", says: "something else"},         // ends as it must, for another reason
		{line: "stage nowhere", want: refused, says: "dist"}, // could not decide, which is no refusal
	} {
		out.Reset()
		var got unexpected
		if err := d.distgate(t.Context(), v); !errors.As(err, &got) {
			t.Errorf("%s: got %v", v.line, err)
		}
		if lines := strings.Count(out.String(), "\n"); lines < 3 {
			t.Errorf("%s: the reader cannot see why:\n%s", v.line, out)
		}
	}
}

func TestAnAttackThatPassesIsAnError(t *testing.T) {
	d, _ := inWorld(t)
	harmless := attack{line: "stage dist", want: refused, what: "a good wheel",
		prepare: func(*demo, context.Context) error { return nil }}
	err := d.attack(t.Context(), harmless)
	if err == nil || !strings.Contains(err.Error(), "a good wheel was not refused") {
		t.Errorf("got %v", err)
	}
}

func TestTheReaderDecidesWhenAsked(t *testing.T) {
	d, _ := inWorld(t)
	if err := d.stage(t.Context()); err != nil {
		t.Fatal(err)
	}
	d.ask = true
	answers := func(text string) { d.streams.In = strings.NewReader(text) }
	for _, no := range []string{"", "no\n", "\n", "widget\n", "widget 1.1\n"} {
		answers(no)
		if err := d.approve(t.Context()); !errors.Is(err, errDeclined) {
			t.Errorf("%q: got %v", no, err)
		}
	}
	if err := d.declined(t.Context()); err != nil {
		t.Error(err)
	}
	answers("widget  1.0\n")
	if err := d.vote(t.Context(), "alice", "approve 1.0 --key keys/alice", "1 of 2"); err != nil {
		t.Error(err)
	}
}

func TestServeKeepsTheWorldUpUntilItIsEnded(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	reader, writer := io.Pipe()
	code := make(chan int)
	go func() {
		c := Main(ctx, []string{"serve"}, streams(writer, os.Stderr))
		writer.Close()
		code <- c
	}()
	text := readUntil(t, reader, "--key keys/mallory\n")
	simple := regexp.MustCompile(`http://127\.0\.0\.1:\d+/simple/`).FindString(text)
	answer, err := http.Get(simple + "widget/")
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		t.Errorf("%s: %s", simple, answer.Status)
	}
	folder := regexp.MustCompile(`folder +(\S+)`).FindStringSubmatch(text)[1]
	for _, path := range []string{
		"/distgate.toml", "/keys/alice", "/dist/widget-1.0.tar.gz", "/bad/self-hosted",
	} {
		if _, err := os.Stat(folder + path); err != nil {
			t.Error(err)
		}
	}
	for _, want := range []string{
		"export ACTIONS_ID_TOKEN_REQUEST_URL='http://127.0.0.1:",
		"export ACTIONS_ID_TOKEN_REQUEST_TOKEN='",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("want %q in\n%s", want, text)
		}
	}
	stagesItsRun(t, text, folder)
	cancel()
	go io.Copy(io.Discard, reader)
	if c := <-code; c != exitDone {
		t.Errorf("ended with %d", c)
	}
	if _, err := os.Stat(folder); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is still there (%v)", folder, err)
	}
}

// stagesItsRun types the line of the directions that takes the run's artifacts.
func stagesItsRun(t *testing.T, text, folder string) {
	t.Helper()
	exported := map[string]string{}
	for _, line := range regexp.MustCompile(`export (\w+)='(.*)'`).FindAllStringSubmatch(text, -1) {
		exported[line[1]] = line[2]
	}
	args := strings.Fields(regexp.MustCompile(`stage --run \d+`).FindString(text))
	var said bytes.Buffer
	s := streams(&said, &said)
	s.Env = func(name string) string { return exported[name] }
	if c := command.Main(t.Context(), append(args, "--policy", folder+"/distgate.toml", "--store", t.TempDir()+"/store"), s); c != 0 ||
		!strings.Contains(said.String(), "staged     widget 1.0 for index local: 4 files") {
		t.Errorf("%v: %d\n%s", args, c, said.String())
	}
}

func readUntil(t *testing.T, r io.Reader, end string) string {
	t.Helper()
	var text strings.Builder
	buffer := make([]byte, 4096)
	for !strings.Contains(text.String(), end) {
		n, err := r.Read(buffer)
		if err != nil {
			t.Fatalf("%v after\n%s", err, text.String())
		}
		text.Write(buffer[:n])
	}
	return text.String()
}

func TestWrongUsageIsToldApart(t *testing.T) {
	for _, c := range []struct {
		args []string
		want int
		says string
	}{
		{nil, exitDone, "usage: sandbox demo"},
		{[]string{"--help"}, exitDone, "usage: sandbox demo"},
		{[]string{"demo", "--help"}, exitDone, "usage: sandbox demo"},
		{[]string{"play"}, exitUsage, `no "play" to play`},
		{[]string{"demo", "--asks"}, exitUsage, "usage: sandbox demo"},
		{[]string{"serve", "--ask"}, exitUsage, "usage: sandbox demo"},
		{[]string{"demo", "now"}, exitUsage, "demo takes no arguments"},
		{[]string{"demo", "--ask"}, exitUsage, "--ask needs a terminal"},
	} {
		code, out, problems := run(t.Context(), c.args...)
		if code != c.want || !strings.Contains(out+problems, c.says) {
			t.Errorf("%q: got %d\n%s%s", c.args, code, out, problems)
		}
	}
}

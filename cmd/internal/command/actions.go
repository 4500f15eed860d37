package command

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/distgate/distgate/approval"
	"github.com/distgate/distgate/staging"
	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

// In a job of GitHub Actions a verb says the same as elsewhere, and three things
// more: annotations, outputs and a summary. Its runner reads them from the log
// (workflow commands) and from files that the environment names. Text from
// outside makes no workflow command, because plain breaks it up wherever it is
// shown, and command escapes it where it is part of one.

// actions is the job that a verb runs in. The zero value is none, and takes
// everything in silence.
type actions struct {
	log             io.Writer // nil outside of a job
	output, summary string    // files; "" where the runner names none
}

func inActions(s Streams) actions {
	if s.Env("GITHUB_ACTIONS") != "true" {
		return actions{}
	}
	return actions{log: s.Err, output: s.Env("GITHUB_OUTPUT"), summary: s.Env("GITHUB_STEP_SUMMARY")}
}

// command writes one workflow command: "::warning title=…::…".
func (a actions) command(name, title, text string) {
	if a.log == nil {
		return
	}
	if title != "" {
		name += " title=" + property(title)
	}
	fmt.Fprintf(a.log, "::%s::%s\n", name, data(text))
}

// data is text as it stands after the last "::" of a workflow command, with the
// line ends that an annotation keeps.
func data(text string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A").Replace(text)
}

// property is text as it stands in a property of a workflow command.
func property(text string) string {
	return strings.NewReplacer(":", "%3A", ",", "%2C").Replace(data(text))
}

// mask keeps a secret out of the log from here on.
func (a actions) mask(secret string) {
	a.command("add-mask", "", secret)
}

// group folds in the log what show writes to w.
func (a actions) group(w io.Writer, title string, show func()) {
	if a.log != nil {
		a.log = w // streams reach the log in no order
	}
	a.command("group", "", plain(title))
	show()
	a.command("endgroup", "", "")
}

// maxAnnotations is how many of a kind GitHub shows of one step.
const maxAnnotations = 10

// annotate says why a verb ended without success where GitHub shows it first.
func (a actions) annotate(err error) {
	var refused rule.Refusals
	var waiting approval.Waiting
	switch {
	case err == nil:
	case errors.As(err, &refused):
		a.refusals(refused)
	case errors.As(err, &waiting):
		a.command("warning", "waiting for votes", plain(fmt.Sprintf("%d of %d people approved %s; who may: %s",
			waiting.Have, waiting.Need, waiting.Release, strings.Join(waiting.May, ", "))))
	case errors.As(err, new(usageError)):
		a.command("error", "distgate", plain(err.Error()))
	default:
		a.command("error", "could not decide", plain(err.Error()))
	}
}

func (a actions) refusals(refused rule.Refusals) {
	for i, r := range refused {
		if i == maxAnnotations-1 && len(refused) > maxAnnotations {
			a.command("error", "refused", fmt.Sprintf("and %d refusals more: the log has them all", len(refused)-i))
			return
		}
		text := "wanted " + plain(r.Want) + "\ngot " + plain(r.Got) + "\nnext: " + plain(r.Hint)
		a.command("error", "refused: "+string(r.Rule)+": "+plain(r.File), text)
	}
}

// output is one fact for the steps and the jobs that come after this one.
type output struct{ name, value string }

// releaseOutputs are what the jobs after the gate need to know of a release:
//
//	release       the release digest, sha256:…
//	project, version, index, environment
//	files, bytes  how many
//	title         "numpy 2.4.0 · 72 files · sha256:9f2c4be07d15…", for the name of a job
//	approve       the line that a vote's comment has: "approve sha256:…"
func releaseOutputs(release dist.Digest, m staging.Manifest) []output {
	return []output{
		{"release", release.String()},
		{"project", m.Project}, {"version", m.Version}, {"index", m.Index}, {"environment", m.Environment},
		{"files", fmt.Sprint(len(m.Files))}, {"bytes", fmt.Sprint(bytesOf(m.Files))},
		{"title", fmt.Sprintf("%s %s · %s · sha256:%s…", m.Project, m.Version, plural(len(m.Files), "file"), short(release))},
		{"approve", string(approval.Approve) + " " + release.String()},
	}
}

// outputs hands facts to later steps. A value with a line end is refused, since
// the runner would read its second line as an output of its own.
func (a actions) outputs(list []output) error {
	if a.output == "" {
		return nil
	}
	var text strings.Builder
	for _, o := range list {
		if strings.ContainsAny(o.value, "\r\n\x00") {
			return fmt.Errorf("output %s: want one line, got %q", o.name, o.value)
		}
		fmt.Fprintf(&text, "%s=%s\n", o.name, o.value)
	}
	return appendFile(a.output, []byte(text.String()))
}

func appendFile(path string, raw []byte) error {
	file, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(raw)
	return errors.Join(err, file.Close())
}

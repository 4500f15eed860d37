package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/distgate/distgate/cmd/internal/command"
)

// The exit codes of distgate that the demo waits for.
const (
	done       = 0
	refused    = 1
	wrongUsage = 2
	failed     = 3 // could not decide
	waiting    = 4
)

// verb is one distgate command, as it is typed, and how it must end.
type verb struct {
	line string   // after "distgate"
	want int      // exit code
	says string   // what must stand in its output
	job  []string // environment of the GitHub job that types it; none on a person's machine
	ask  bool     // let the reader answer
	show shown

	answer string // what the person at the terminal types, where the reader does not
}

// shown is how much of a command's output the reader sees, if it ends as it
// must.
type shown int

const (
	all       shown = iota
	results         // what goes to stdout
	firstLine       // of that
)

// player shows commands and runs them.
type player struct{ streams command.Streams }

// heading begins an act.
func (p player) heading(title string) {
	fmt.Fprintf(p.streams.Out, "\n\n%s\n%s\n", title, strings.Repeat("-", len(title)))
}

// say tells the reader what comes next. The text has its line ends.
func (p player) say(text string) {
	fmt.Fprintf(p.streams.Out, "\n%s\n", strings.TrimSpace(text))
}

// prompt shows a command line.
func (p player) prompt(line string) {
	fmt.Fprintf(p.streams.Out, "\n$ %s\n", line)
}

// distgate runs a command as a process of its own would, and holds it to how it
// must end.
func (p player) distgate(ctx context.Context, v verb) error {
	p.prompt("distgate " + v.line)
	var result, aside bytes.Buffer
	s := command.Streams{In: p.input(v), Out: &result, Err: &aside,
		Env: p.env(v.job), Now: p.streams.Now, Terminal: v.ask || v.answer != ""}
	if v.show == all {
		s.Out = io.MultiWriter(jobLog{p.streams.Out}, &result)
		s.Err = s.Out
	}
	code := command.Main(ctx, strings.Fields(v.line), s)
	text := aside.String() + result.String()
	if code != v.want || !strings.Contains(text, v.says) {
		if v.show != all {
			fmt.Fprint(p.streams.Out, text)
		}
		return unexpected{v, code}
	}
	if v.answer != "" {
		question := aside.String()
		fmt.Fprintln(p.streams.Out, question[strings.LastIndexByte(question, '\n')+1:]+v.answer)
	}
	switch v.show {
	case results:
		fmt.Fprint(p.streams.Out, result.String())
	case firstLine:
		line, _, _ := strings.Cut(result.String(), "\n")
		fmt.Fprintln(p.streams.Out, line)
	}
	return nil
}

// jobLog is a job's log as GitHub shows it: a line that is a workflow command is
// carried out, and not shown. Each write is of whole lines.
type jobLog struct{ w io.Writer }

func (l jobLog) Write(text []byte) (int, error) {
	for line := range bytes.Lines(text) {
		if bytes.HasPrefix(line, []byte("::")) {
			continue
		}
		if _, err := l.w.Write(line); err != nil {
			return 0, err
		}
	}
	return len(text), nil
}

// unexpected is a command that ended otherwise than it must.
type unexpected struct {
	verb verb
	code int
}

func (u unexpected) Error() string {
	if u.code == u.verb.want {
		return fmt.Sprintf("distgate %s: want %q in its output", u.verb.line, u.verb.says)
	}
	return fmt.Sprintf("distgate %s: ended with exit code %d, want %d",
		u.verb.line, u.code, u.verb.want)
}

// input is the reader's, where the reader is asked, and the answer elsewhere.
func (p player) input(v verb) io.Reader {
	if v.ask {
		return p.streams.In
	}
	return strings.NewReader(v.answer + "\n")
}

// env is the environment of a machine: this one's, but the only GitHub job is the
// world's.
func (p player) env(job []string) func(string) string {
	return func(name string) string {
		for _, line := range job {
			if value, ok := strings.CutPrefix(line, name+"="); ok {
				return value
			}
		}
		if strings.HasPrefix(name, "ACTIONS_") || strings.HasPrefix(name, "GITHUB_") {
			return ""
		}
		return p.streams.Env(name)
	}
}

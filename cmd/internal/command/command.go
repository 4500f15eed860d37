// Package command is the distgate command: verbs, the policy file, wiring,
// rendering and exit codes. Below it nothing prints, exits, or reads flags or
// the environment.
//
// A verb is: parse, call a few rooms, render. Each has a file of its own.
// [Main] runs one of them over the [Streams] that it is given, so that a test
// and the sandbox play it as a user types it.
//
// # Output
//
// Stdout is the result: text, or with --json the same facts. Stderr is progress
// and everything else. The text goes through one printer, which escapes
// whatever came from outside: no escape sequence, no markup, no bidi control and
// no workflow command reaches a terminal or a job log (see escape.go).
//
// # Exit codes
//
//	0  done
//	1  refused: a rule said no ([rule.Refusals])
//	2  wrong usage, or a malformed policy
//	3  could not decide: a disk, a network, a permission
//	4  waiting for votes ([approval.Waiting])
package command

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/distgate/distgate/approval"
	"github.com/distgate/distgate/staging/rule"
)

// The exit codes.
const (
	exitDone = iota
	exitRefused
	exitUsage
	exitUndecided
	exitWaiting
)

// Streams are the world of one run: what a process has, as values.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
	Env      func(string) string
	Now      func() time.Time
	Terminal bool // In and Err are a person's terminal
}

// System is the world of this process.
func System() Streams {
	return Streams{
		In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Env: os.Getenv, Now: time.Now,
		Terminal: term.IsTerminal(int(os.Stdin.Fd())) && term.IsTerminal(int(os.Stderr.Fd())),
	}
}

// Main runs one verb and returns the exit code. An interrupt ends it as a
// context that is done does: side effects stop at the next safe point.
func Main(ctx context.Context, args []string, s Streams) int {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	var line sync.Mutex // of several goroutines, each writes whole lines
	s.Out, s.Err = lines{&line, s.Out}, lines{&line, s.Err}
	root := newRoot(s)
	root.SetArgs(args)
	root.SetIn(s.In)
	root.SetOut(s.Out)
	root.SetErr(s.Err)
	verb, err := root.ExecuteContextC(ctx)
	if asJSON, _ := verb.Flags().GetBool("json"); asJSON && err != nil && !errors.As(err, new(shown)) {
		err = errors.Join(err, emit(s.Out, failure(err)))
	}
	printer{s.Err}.failure(err)
	inActions(s).annotate(err)
	err = errors.Join(err, inActions(s).summarizeRefusals(err))
	return exitCode(err)
}

// lines is a stream that many may write to.
type lines struct {
	mu *sync.Mutex
	w  io.Writer
}

func (l lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

// failure is why a verb ended without its result, as JSON.
func failure(err error) any {
	var answer struct {
		Refused rule.Refusals     `json:"refused,omitempty"`
		Waiting *approval.Waiting `json:"waiting,omitempty"`
		Error   string            `json:"error,omitempty"`
	}
	var waiting approval.Waiting
	switch {
	case errors.As(err, &answer.Refused):
	case errors.As(err, &waiting):
		answer.Waiting = &waiting
	default:
		answer.Error = err.Error()
	}
	return answer
}

func newRoot(s Streams) *cobra.Command {
	root := &cobra.Command{
		Use:   "distgate",
		Short: "The release gate for Python projects",
		Long: `distgate takes in the wheels and the sdist that a build made, proves where
each came from, holds them still while people look and vote, and uploads
exactly those bytes to PyPI.

A release goes through the verbs in this order:

    verify    what do these files and their bundles prove?
    stage     put a verified release into the store; prints its digest
    review    what a person looks at before voting
    fetch     write out the staged files, to try them
    approve   vote for it (or reject it)
    publish   upload what was approved, and confirm what the index serves
    status    where every release stands, and the next command
    reconcile hold what the index offers against what was released
    withdraw  take a release back
    mirror    make the GitHub release of a published release

A refusal names its rule; explain tells the story behind it.`,
		SilenceUsage: true, SilenceErrors: true,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				c.SetOut(c.ErrOrStderr())
				_ = c.Help()
				return usagef("name a verb")
			}
			return usagef("there is no verb " + args[0] + suggested(c.SuggestionsFor(args[0])))
		},
		RunE: func(*cobra.Command, []string) error { return nil },
	}
	root.SetUsageTemplate(strings.ReplaceAll(root.UsageTemplate(), ".FlagUsages ", ".FlagUsagesWrapped 79 "))
	root.SuggestionsMinimumDistance = 2
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	for _, verb := range []*cobra.Command{
		newVerify(s), newStage(s), newReview(s), newFetch(s), newApprove(s), newReject(s), newPublish(s), newCanary(s), newStatus(s), newReconcile(s), newWithdraw(s), newMirror(s), newAudit(s), newLayout(s), newInit(s), newExplain(s),
		newLock(s),
	} {
		verb.Args, verb.Long = usage(verb.Args), paragraphs(verb.Long)
		root.AddCommand(verb)
	}
	return root
}

// paragraphs sets prose to the width of a terminal. What is indented stays as it is.
func paragraphs(text string) string {
	parts := strings.Split(text, "\n\n")
	for i, part := range parts {
		if !strings.HasPrefix(part, " ") {
			parts[i] = strings.Join(wrap(part, width), "\n")
		}
	}
	return strings.Join(parts, "\n\n")
}

func suggested(verbs []string) string {
	if len(verbs) == 0 {
		return ""
	}
	return "; did you mean " + strings.Join(verbs, " or ") + "?"
}

// usage makes a wrong number of arguments a wrong usage.
func usage(args cobra.PositionalArgs) cobra.PositionalArgs {
	return func(c *cobra.Command, given []string) error {
		if err := args(c, given); err != nil {
			return usagef("want " + strings.TrimSuffix(c.UseLine(), " [flags]") + "; see " + c.CommandPath() + " --help")
		}
		return nil
	}
}

// usageError is an error in how distgate was called, or in the policy.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usagef(text string) error { return usageError{errors.New(text)} }

// exitCode tells errors apart by their types.
func exitCode(err error) int {
	var wrong usageError
	var refused rule.Refusals
	var waiting approval.Waiting
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &wrong):
		return exitUsage
	case errors.As(err, &refused):
		return exitRefused
	case errors.As(err, &waiting):
		return exitWaiting
	}
	return exitUndecided
}

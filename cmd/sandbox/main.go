// Sandbox is distgate's world on one machine, to look at and to try by hand.
//
//	go run ./cmd/sandbox demo                    plays a whole release, and attacks on it
//	go run ./cmd/sandbox serve                   keeps the world up, for commands typed by hand
//	go run ./cmd/sandbox rehearse DIR RELEASE    plays the upload of a staged release
//	go run ./cmd/sandbox try DIR VERSION         plays a release from one's own repository
//
// All start a GitHub, a Sigstore and a package index on addresses of this
// machine (package world), and a small Python project whose people release it
// there. The commands are the real ones: the demo calls command.Main once for
// each process that there would be, and nothing but the files in its folder
// passes from one to the next. It ends with an error if a step fails that must
// succeed, or if one succeeds that must be refused.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/distgate/distgate/cmd/internal/command"
)

func main() {
	os.Exit(Main(context.Background(), os.Args[1:], command.System()))
}

const usage = `usage: sandbox demo [--ask]
       sandbox serve
       sandbox rehearse [--store STORE] DIR RELEASE
       sandbox try [--index NAME] DIR VERSION

demo      plays a release from the build to pip install, and what must not pass;
          with --ask you approve it yourself
serve     keeps the world up until Ctrl-C, and prints what to try by hand
rehearse  plays the vote on a release of the release repository in DIR, and its
          upload; the store is the one there, or the one that is named
try       plays a release of VERSION from the release repository in DIR, by its
          own policy; the files have the expected names, and little inside
`

// The exit codes.
const (
	exitDone = iota
	exitFailed
	exitUsage
)

// Main runs one of them and returns the exit code: 0, 1 if something went
// otherwise than it must, 2 for a wrong command line.
func Main(ctx context.Context, args []string, s command.Streams) int {
	// SIGPIPE: `sandbox demo | head` must not leave a folder behind either
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM, syscall.SIGPIPE)
	defer stop()
	play, err := parse(args, s)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprint(s.Out, usage)
		return exitDone
	}
	if err != nil {
		fmt.Fprintf(s.Err, "sandbox: %s\n%s", err, usage)
		return exitUsage
	}
	if err := play(ctx, s); err != nil {
		if ctx.Err() != nil {
			err = errors.New("interrupted")
		}
		fmt.Fprintf(s.Err, "\nsandbox: %s\n", err)
		return exitFailed
	}
	return exitDone
}

// parse finds out what to play.
func parse(args []string, s command.Streams) (func(context.Context, command.Streams) error, error) {
	if len(args) == 0 {
		return nil, flag.ErrHelp
	}
	flags := flag.NewFlagSet("sandbox", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	play, ask, index, store := serve, false, "", ""
	takes := map[string]int{"rehearse": 2, "try": 2}
	switch args[0] {
	case "serve":
	case "demo":
		flags.BoolVar(&ask, "ask", false, "")
		play = func(ctx context.Context, s command.Streams) error { return playDemo(ctx, s, ask) }
	case "rehearse":
		flags.StringVar(&store, "store", "", "")
		play = func(ctx context.Context, s command.Streams) error {
			return rehearse(ctx, s, flags.Arg(0), store, flags.Arg(1))
		}
	case "try":
		flags.StringVar(&index, "index", "", "")
		play = func(ctx context.Context, s command.Streams) error {
			return tryRelease(ctx, s, flags.Arg(0), flags.Arg(1), index)
		}
	case "help", "-h", "--help":
		return nil, flag.ErrHelp
	default:
		return nil, fmt.Errorf("no %q to play", args[0])
	}
	if err := flags.Parse(args[1:]); err != nil {
		return nil, err
	}
	switch want := takes[args[0]]; {
	case flags.NArg() == want:
	case args[0] == "rehearse":
		return nil, errors.New("rehearse takes a folder and a release")
	case args[0] == "try":
		return nil, errors.New("try takes a folder and a version")
	default:
		return nil, fmt.Errorf("%s takes no arguments", args[0])
	}
	if ask && !s.Terminal {
		return nil, errors.New("--ask needs a terminal to ask at")
	}
	return play, nil
}

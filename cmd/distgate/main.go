// Distgate is a release gate for Python projects. Its README tells what it
// does; package command is what it does.
package main

import (
	"context"
	"os"

	"github.com/distgate/distgate/cmd/internal/command"
)

func main() {
	os.Exit(command.Main(context.Background(), os.Args[1:], command.System()))
}

package main

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/distgate/distgate/cmd/internal/command"
	"github.com/distgate/distgate/cmd/internal/world"
)

func TestARehearsalUploadsTheStagedFilesToTheStandIn(t *testing.T) {
	w, err := world.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	t.Chdir(t.TempDir())
	if err := w.WriteProject("."); err != nil {
		t.Fatal(err)
	}
	if err := w.Build("dist", "1.0"); err != nil {
		t.Fatal(err)
	}
	var out, problems bytes.Buffer
	if code := command.Main(t.Context(), []string{"stage", "dist"}, streams(&out, &problems)); code != done {
		t.Fatal(problems.String())
	}
	folder, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	code, said, trouble := run(t.Context(), "rehearse", folder, "1.0")
	if code != exitDone || !strings.Contains(said, "\npublished  widget 1.0 on index local: 4 files") {
		t.Errorf("ended with %d\n%s\n%s", code, said, trouble)
	}
	if code, said, _ := run(t.Context(), "rehearse", "--store", "other", folder, "1.0"); code != exitFailed {
		t.Errorf("ended with %d\n%s", code, said)
	}
	if code, said, _ := run(t.Context(), "rehearse", folder, "2.0"); code != exitFailed {
		t.Errorf("ended with %d\n%s", code, said)
	}
	if code, said, _ := run(t.Context(), "rehearse", t.TempDir(), "1.0"); code != exitFailed {
		t.Errorf("ended with %d\n%s", code, said)
	}
	if code, _, _ := run(t.Context(), "rehearse", "1.0"); code != exitUsage {
		t.Errorf("ended with %d", code)
	}
}

package audit

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/rhysd/actionlint"
)

// thousand are 1,000 workflows: those of the vectors that actionlint has no
// complaint about, again and again.
func thousand(b *testing.B) tree {
	files, names := tree{}, []string{}
	for _, pattern := range []string{"actionlint/ok/*.yaml", "zizmor/test-data/*.yml", "zizmor/test-data/*/*.yml"} {
		paths, err := filepath.Glob(filepath.Join(vectors(b), pattern))
		if err != nil {
			b.Fatal(err)
		}
		names = append(names, paths...)
	}
	for i := 0; len(files) < 1000; i++ {
		raw, err := os.ReadFile(names[i%len(names)])
		if err != nil {
			b.Fatal(err)
		}
		if strings.Contains(string(raw), "jobs:") {
			files[fmt.Sprintf("%s/%04d.yml", workflowDir, i)] = string(raw)
		}
	}
	return files
}

// BenchmarkJudge reads and judges 1,000 workflows.
func BenchmarkJudge(b *testing.B) {
	files := thousand(b)
	for b.Loop() {
		f, err := Read(b.Context(), files, Release{})
		if err != nil {
			b.Fatal(err)
		}
		if len(Judge(Facts{Files: f}).Answers) == 0 {
			b.Fatal("no answer")
		}
	}
}

// BenchmarkActionlint lints the same files, as many at once as there are cores.
func BenchmarkActionlint(b *testing.B) {
	files := thousand(b)
	for b.Loop() {
		var wg sync.WaitGroup
		work := make(chan string)
		for range runtime.NumCPU() {
			wg.Go(func() {
				for at := range work {
					linter, err := actionlint.NewLinter(io.Discard, &actionlint.LinterOptions{})
					if err != nil {
						panic(err)
					}
					if _, err := linter.Lint(at, []byte(files[at]), nil); err != nil {
						panic(err)
					}
				}
			})
		}
		for at := range files {
			work <- at
		}
		close(work)
		wg.Wait()
	}
}

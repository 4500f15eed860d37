package command

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestCallsGrowWithPagesAndNotWithFiles stages a release of 4 files and one of 52, each
// file with an artifact, a bundle and a job of its own, and proves each again. But for
// the downloads, one for each artifact, both take as many requests.
func TestCallsGrowWithPagesAndNotWithFiles(t *testing.T) {
	a := newAttempts(t)
	dir := t.TempDir()
	a.check(a.world.WriteProject(dir))
	a.check(os.Mkdir(filepath.Join(dir, "dist-2.1"), 0o755))
	words := ""
	for _, python := range []string{"cp39", "cp310", "cp311", "cp312", "cp313", "cp314"} {
		for _, platform := range []string{"win32", "win_amd64", "win_arm64", "musllinux_1_2_x86_64", "musllinux_1_2_aarch64",
			"manylinux_2_28_aarch64", "manylinux_2_28_s390x", "manylinux_2_28_ppc64le"} {
			a.check(a.world.BuildWheel(filepath.Join(dir, "dist-2.1"), "2.1", python+"-"+python+"-"+platform))
			words += fmt.Sprintf("%q, ", python+"-"+platform)
		}
	}
	const plain = "sdist = true\npython = [\"py3\"]\nplatform = [\"any\", \"macosx_arm64\", \"manylinux_x86_64\"]\n"
	a.check(editFile(filepath.Join(dir, "distgate.toml"), `hosted = "certificate"`, "hosted = \"every-job\"\nlabels = [\"ubuntu-latest\"]",
		"[files]", "[series.\"2.1\"]\n"+plain+"also = ["+words+"]\n[series.\"2.0\"]"))
	a.check(a.world.Push(dir))
	few, many := a.calls(dir, "2.0", 4), a.calls(dir, "2.1", 52)
	if few != many || few == 0 {
		t.Errorf("a release of 4 files takes %d requests besides its downloads, one of 52 takes %d", few, many)
	}
}

// calls are the requests to GitHub's API by which a run of so many files is staged and
// its release proven again, but for the downloads.
func (a *attempts) calls(dir, version string, files int) int {
	a.t.Helper()
	run, err := a.world.BuildRunIn(filepath.Join(dir, "dist-"+version), version)
	a.check(err)
	env := a.world.Env(a.world.PublishJob())
	s := a.streams(env)
	before := a.left(s)
	f := shared{policy: filepath.Join(dir, "distgate.toml"), store: filepath.Join(dir, "store")}
	a.check(runStage(a.t.Context(), s, f, source{runs: []string{fmt.Sprint(run.ID)}}, ""))
	r, err := openRelease(a.t.Context(), s, f, version)
	a.check(err)
	if got := len(r.staged.Files()); got != files {
		a.t.Fatalf("want %d files, got %d", files, got)
	}
	return before - a.left(s) - files
}

// left is how many requests GitHub still takes with the token of a job.
func (a *attempts) left(s Streams) int {
	a.t.Helper()
	request, err := http.NewRequest(http.MethodGet, strings.TrimSuffix(s.Env("GITHUB_API_URL"), "/")+"/rate_limit", nil)
	a.check(err)
	request.Header.Set("Authorization", "Bearer "+s.Env("GITHUB_TOKEN"))
	response, err := http.DefaultClient.Do(request)
	a.check(err)
	defer response.Body.Close()
	var limit struct {
		Resources struct{ Core struct{ Remaining int } }
	}
	a.check(json.NewDecoder(response.Body).Decode(&limit))
	return limit.Resources.Core.Remaining
}

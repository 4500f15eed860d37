//go:build linux

package command

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/distgate/distgate/cmd/internal/world"
	"github.com/distgate/distgate/workflows/githubtest"
)

// The whole gate for a release of numpy's size, from the artifacts of the build run
// to the summary: 72 wheels of 12.7 MB and an sdist, each with its bundle, in an
// artifact of their own; every job of the run is asked for, the source commit is
// matched, and a release of as many small wheels stands on the index before it.
// GitHub and the index are on this machine and take their share of its cores.
//
//	stage     distgate stage --run
//	review    distgate review, which writes the summary and the page
//	network   the artifacts alone, downloaded as often as stage does and thrown away
func BenchmarkGate(b *testing.B) {
	s := newScene(b)
	s.wheels(b)
	s.sdist(b)
	s.gated(b)
	id := s.uploaded(b)
	s.published(b)
	env := append(os.Environ(), s.world.Env(s.world.PublishJob())...)
	summary := filepath.Join(s.dir, "summary")
	env = append(env, "GITHUB_STEP_SUMMARY="+summary)
	runs := map[string][]cost{}
	for b.Loop() {
		store := filepath.Join(s.dir, "distgate-store")
		stage := s.verb(env, "stage", "--run", id, "--store", store)(b)
		review := s.verb(env, "review", "1.0", "--store", store, "--html", filepath.Join(s.dir, "report.html"))(b)
		network := s.download(b, id, env)
		for name, c := range map[string]cost{"gate-stage": stage, "gate-review": review, "gate-network": network, "gate": stage.plus(review)} {
			runs[name] = append(runs[name], c)
		}
		check(b, os.RemoveAll(store))
	}
	written, err := os.ReadFile(summary)
	check(b, err)
	if !bytes.HasPrefix(written, []byte("## widget 1.0 · ")) || !bytes.Contains(written, []byte("73 of 73 files")) {
		b.Fatalf("no summary: %.2000s", written)
	}
	for name, list := range runs {
		b.ReportMetric(median(list, cost.wallMS), name+"-ms")
		b.ReportMetric(median(list, cost.cpuMS), name+"-cpu-ms")
	}
	b.ReportMetric(float64(s.bytes(b))/1e6, "gate-MB")
	b.ReportMetric(0, "ns/op")
}

// sdist puts the project's own into the folder, with its bundle.
func (s *scene) sdist(b *testing.B) {
	files, err := world.Release("1.0")
	check(b, err)
	for _, f := range files {
		if !strings.HasSuffix(f.Name, ".tar.gz") {
			continue
		}
		path := filepath.Join(s.dist, f.Name)
		check(b, os.WriteFile(path, f.Raw, 0o600))
		job := s.world.BuildJob("1.0")
		check(b, s.world.Attest(path, job, job))
		s.files = append(s.files, path)
	}
}

// gated makes the policy one that asks for everything.
func (s *scene) gated(b *testing.B) {
	path := filepath.Join(s.dir, "distgate.toml")
	raw, err := os.ReadFile(path)
	check(b, err)
	text := strings.NewReplacer("sdist = false", "sdist = true",
		`hosted = "certificate"`, "labels = [\"ubuntu-latest\"]\nhosted = \"every-job\"").Replace(string(raw))
	table := strings.Replace(s.world.SourceTable(), `["widget/_platform.py"]`, `["widget/*.bin"]`, 1)
	s.world.Source("1.0")
	check(b, os.WriteFile(path, []byte(text+table), 0o600))
	check(b, s.world.Push(s.dir))
}

// uploaded is the run that built the files, with an artifact for each.
func (s *scene) uploaded(b *testing.B) string {
	var jobs []githubtest.Job
	for i := range s.files {
		jobs = append(jobs, githubtest.Job{Name: fmt.Sprintf("build (%d)", i), Runner: githubtest.Hosted(int64(1000018028 + i))})
	}
	run := s.world.GitHub().PutRun(githubtest.RunOf(s.world.BuildJob("1.0"), jobs...))
	for i, path := range s.files {
		var packed bytes.Buffer
		z := zip.NewWriter(&packed)
		for _, p := range []string{path, world.BundleOf(path)} {
			raw, err := os.ReadFile(p)
			check(b, err)
			w, err := z.Create(filepath.Base(p))
			check(b, err)
			_, err = w.Write(raw)
			check(b, err)
		}
		check(b, z.Close())
		_, err := s.world.GitHub().PutArtifact(githubtest.Artifact{Run: run.ID, Name: fmt.Sprintf("dist-%d", i),
			Blob: bytes.NewReader(packed.Bytes()), Size: int64(packed.Len())})
		check(b, err)
	}
	return fmt.Sprint(run.ID)
}

// published puts wheels of the version before on the index.
func (s *scene) published(b *testing.B) {
	for _, path := range s.files {
		if tag, ok := strings.CutSuffix(strings.TrimPrefix(filepath.Base(path), "widget-1.0-"), ".whl"); ok {
			_, err := s.world.Intrude(b.Context(), "0.9", tag)
			check(b, err)
		}
	}
}

func (s *scene) verb(env []string, args ...string) run {
	return func(b *testing.B) cost {
		cmd := exec.Command(s.distgate, args...)
		cmd.Dir, cmd.Env = s.dir, env
		return processes(b, cmd)
	}
}

// download gets every artifact of the run, four at once, as stage does.
func (s *scene) download(b *testing.B, run string, env []string) cost {
	i := slices.IndexFunc(env, func(one string) bool { return strings.HasPrefix(one, "GITHUB_TOKEN=") })
	token := strings.TrimPrefix(env[i], "GITHUB_TOKEN=")
	start := time.Now()
	var listed bytes.Buffer
	at := s.world.GitHubURL() + "/repos/" + world.Repository + "/actions/"
	check(b, get(b.Context(), at+"runs/"+run+"/artifacts?per_page=100", token, &listed))
	var page struct {
		Artifacts []struct {
			URL string `json:"archive_download_url"`
		}
	}
	check(b, json.Unmarshal(listed.Bytes(), &page))
	var work errgroup.Group
	work.SetLimit(4)
	for _, a := range page.Artifacts {
		work.Go(func() error { return get(b.Context(), a.URL, token, io.Discard) })
	}
	check(b, work.Wait())
	return cost{wall: time.Since(start)}
}

// get asks GitHub. Whoever keeps the artifacts for it is shown no token.
func get(ctx context.Context, url, token string, to io.Writer) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+token)
	client := http.Client{CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		r.Header.Del("Authorization")
		return nil
	}}
	answer, err := client.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, answer.Status)
	}
	_, err = io.Copy(to, answer.Body)
	return err
}

func (s *scene) bytes(b *testing.B) (all int64) {
	for _, path := range s.files {
		info, err := os.Stat(path)
		check(b, err)
		all += info.Size()
	}
	return all
}

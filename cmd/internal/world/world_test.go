package world_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/ssh"

	"github.com/distgate/distgate/approval"
	"github.com/distgate/distgate/attest"
	"github.com/distgate/distgate/cmd/internal/world"
	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
	"github.com/distgate/distgate/workflows"
)

func TestTheSameVersionHasTheSameBytesEverywhere(t *testing.T) {
	got := map[string]string{}
	for _, f := range release(t, "1.0") {
		got[f.Name] = dist.Sum(f.Raw).Hex()[:16]
	}
	want := map[string]string{
		"widget-1.0-py3-none-any.whl":                   "2ee5d5df8f60ebe5",
		"widget-1.0-py3-none-macosx_11_0_arm64.whl":     "fdaf86c4ec738048",
		"widget-1.0-py3-none-manylinux_2_17_x86_64.whl": "34cc9deaf7772cb2",
		"widget-1.0.tar.gz":                             "6be40b0c388727e8",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestEveryDistributionIsWhatItsNameSays(t *testing.T) {
	for _, version := range []string{"1.0", "1.1", "2.0rc1"} {
		for _, f := range release(t, version) {
			info, err := inspect(f)
			if err != nil {
				t.Error(err)
			} else if info.Filename.Project != world.Project || info.Filename.Version.String() != version {
				t.Errorf("%s: got %+v", f.Name, info.Filename)
			}
			if err := info.Filename.CheckIndex(); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestWhatTheBuildJobAttestsIsVerified(t *testing.T) {
	w, dir := start(t)
	v := judge(t, w, dir)
	if err := v.Err(); err != nil {
		t.Fatal(err)
	}
	if n := len(v.Verified()); n != 4 {
		t.Errorf("got %d distributions, want 4", n)
	}
}

func TestEveryForgeryIsRefusedByTheRuleThatItBreaks(t *testing.T) {
	w, dir := start(t)
	const wheel = "widget-1.0-py3-none-any.whl"
	rules := map[world.Forgery]rule.ID{
		world.SelfHosted:      rule.IdentityRunner,
		world.OtherRepository: rule.IdentityRepository,
		world.OtherWorkflow:   rule.IdentityWorkflow,
		world.OtherIDs:        rule.IdentityID,
		world.PullRequest:     rule.IdentityTrigger,
		world.Branch:          rule.IdentityRef,
		world.LyingRunner:     rule.PredicateField,
		world.LyingCommit:     rule.PredicateField,
	}
	for _, how := range world.Forgeries() {
		if err := w.Forge(filepath.Join(dir, wheel), how); err != nil {
			t.Fatal(err)
		}
		refusedBy(t, string(how), judge(t, w, dir).Err(), wheel, rules[how])
	}
	if err := w.Forge(filepath.Join(dir, wheel), "unheard-of"); err == nil {
		t.Error("a forgery that there is not was made")
	}
}

func TestARenamedWheelIsRefused(t *testing.T) {
	w, dir := start(t)
	const name = "widget-1.0-py3-none-win_amd64.whl"
	if err := world.Rename(filepath.Join(dir, "widget-1.0-py3-none-any.whl"), name); err != nil {
		t.Fatal(err)
	}
	refusedBy(t, "renamed", judge(t, w, dir).Err(), name, rule.SubjectName)
}

func TestTheProjectsFilesAreReadByWhoeverNeedsThem(t *testing.T) {
	w, _ := start(t)
	dir := t.TempDir()
	if err := w.WriteProject(dir); err != nil {
		t.Fatal(err)
	}
	signers, err := os.Open(filepath.Join(dir, "allowed_signers"))
	if err != nil {
		t.Fatal(err)
	}
	defer signers.Close()
	allowed, err := approval.ParseAllowedSigners("allowed_signers", signers)
	if err != nil {
		t.Fatal(err)
	}
	policy := approval.Policy{Signers: allowed, People: []approval.Person{
		{GitHub: 1, Principals: []string{"alice@example.org", "bob@example.org", "carol@example.org"}},
	}}
	for name, may := range map[string]bool{"alice": true, "bob": true, "carol": true, "mallory": false} {
		key, err := ssh.ParsePrivateKey(read(t, filepath.Join(dir, "keys", name)))
		if err != nil {
			t.Fatal(err)
		}
		if _, got := policy.Person(key.PublicKey()); got != may {
			t.Errorf("%s may vote: got %t, want %t", name, got, may)
		}
	}
}

func TestTheJobsEnvironmentOpensTheIndex(t *testing.T) {
	w, _ := start(t)
	env := map[string]string{}
	for _, line := range w.Env(w.PublishJob()) {
		name, value, _ := strings.Cut(line, "=")
		env[name] = value
	}
	token := workflows.IDToken(http.DefaultClient,
		env["ACTIONS_ID_TOKEN_REQUEST_URL"], env["ACTIONS_ID_TOKEN_REQUEST_TOKEN"])
	jwt, err := token(t.Context(), world.IndexName)
	if err != nil {
		t.Fatal(err)
	}
	mint := strings.TrimSuffix(w.SimpleURL(), "/simple/") + "/_/oidc/mint-token"
	answer, err := http.Post(mint, "application/json", strings.NewReader(`{"token":"`+jwt+`"}`))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, _ := io.ReadAll(answer.Body)
	if answer.StatusCode != http.StatusOK || !bytes.Contains(body, []byte(`"pypi-`)) {
		t.Errorf("got %s %s", answer.Status, body)
	}
}

func TestCloseEndsTheWorld(t *testing.T) {
	w, err := world.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for _, url := range []string{w.GitHubURL(), w.SigstoreURL(), w.SimpleURL()} {
		if answer, err := http.Get(url); err == nil {
			answer.Body.Close()
			t.Errorf("%s still answers", url)
		}
	}
}

// pip is demanded by DISTGATE_PEERS=required, and otherwise used where it is.
func TestPipInstallsEveryWheel(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err == nil {
		err = exec.Command(python, "-m", "pip", "--version").Run()
	}
	if err != nil && os.Getenv("DISTGATE_PEERS") != "required" {
		t.Skip("there is no pip")
	}
	for _, f := range release(t, "1.0") {
		if !strings.HasSuffix(f.Name, ".whl") {
			continue
		}
		dir := t.TempDir()
		path := filepath.Join(dir, f.Name)
		if err := os.WriteFile(path, f.Raw, 0o644); err != nil {
			t.Fatal(err)
		}
		site := filepath.Join(dir, "site")
		out, err := exec.Command(python, "-m", "pip", "--isolated", "install", "--no-index", "--no-deps",
			"--target", site, "--platform", platformOf(f.Name), "--only-binary", ":all:", path).CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v\n%s", f.Name, err, out)
			continue
		}
		run := exec.Command(python, "-c", "import widget; widget.main()")
		run.Env = append(os.Environ(), "PYTHONPATH="+site)
		out, err = run.CombinedOutput()
		want := "widget 1.0 for " + platformOf(f.Name) + "\n"
		if err != nil || strings.ReplaceAll(string(out), "\r\n", "\n") != want {
			t.Errorf("%s: %v: got %q, want %q", f.Name, err, out, want)
		}
	}
}

// platformOf is the platform in a wheel's name.
func platformOf(name string) string {
	return strings.TrimSuffix(name[strings.LastIndex(name, "-")+1:], ".whl")
}

func release(t *testing.T, version string) []world.File {
	t.Helper()
	files, err := world.Release(version)
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func inspect(f world.File) (dist.Info, error) {
	file, err := dist.Copy(io.Discard, bytes.NewReader(f.Raw), f.Name, dist.MaxSize)
	if err != nil {
		return dist.Info{}, err
	}
	return dist.Inspect(bytes.NewReader(f.Raw), file)
}

// start is a world, and a folder with what its build job made.
func start(t *testing.T) (*world.World, string) {
	t.Helper()
	w, err := world.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	dir := t.TempDir()
	if err := w.Build(dir, "1.0"); err != nil {
		t.Fatal(err)
	}
	return w, dir
}

// judge verifies a folder by a policy that pins what distgate.toml does.
func judge(t *testing.T, w *world.World, dir string) attest.Verdict {
	t.Helper()
	project := t.TempDir()
	if err := w.WriteProject(project); err != nil {
		t.Fatal(err)
	}
	root, err := attest.LoadRoot("trusted_root.json", bytes.NewReader(read(t, filepath.Join(project, "trusted_root.json"))))
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := attest.NewVerifier(root)
	if err != nil {
		t.Fatal(err)
	}
	job := w.BuildJob("1.0")
	policy := attest.Workflow(job.Repository, ".github/workflows/release.yml")
	policy.Issuer = attest.Exactly(w.GitHubURL())
	policy.Ref = attest.Glob("refs/tags/v*")
	policy.RepositoryID = attest.Exactly(job.RepositoryID)
	policy.OwnerID = attest.Exactly(job.RepositoryOwnerID)
	found, err := attest.Find([]string{dir}, nil)
	if err != nil {
		t.Fatal(err)
	}
	candidates, err := found.Collect(t.Context(), take)
	if err != nil {
		t.Fatal(err)
	}
	verdict, err := verifier.Verify(t.Context(), policy, candidates)
	if err != nil {
		t.Fatal(err)
	}
	return verdict
}

func take(_ context.Context, path string) (dist.File, dist.Info, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return dist.File{}, dist.Info{}, err
	}
	file, err := dist.Copy(io.Discard, bytes.NewReader(raw), filepath.Base(path), dist.MaxSize)
	if err != nil {
		return dist.File{}, dist.Info{}, err
	}
	info, err := dist.Inspect(bytes.NewReader(raw), file)
	return file, info, err
}

// refusedBy demands that only the file was refused, by the rule among others.
func refusedBy(t *testing.T, what string, err error, file string, id rule.ID) {
	t.Helper()
	var no rule.Refusals
	if !errors.As(err, &no) {
		t.Errorf("%s: got %v, want a refusal by %s", what, err, id)
		return
	}
	seen := false
	for _, r := range no {
		seen = seen || r.Rule == id
		if !strings.HasPrefix(r.File, file) {
			t.Errorf("%s: %v", what, r)
		}
	}
	if !seen {
		t.Errorf("%s: got %v, want %s", what, err, id)
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

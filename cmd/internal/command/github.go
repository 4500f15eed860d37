package command

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/distgate/distgate/approval"
	"github.com/distgate/distgate/attest"
	"github.com/distgate/distgate/publish"
	"github.com/distgate/distgate/staging"
	"github.com/distgate/distgate/workflows"
)

// githubAPI is where GitHub is asked, unless the policy names another.
const githubAPI = "https://api.github.com"

// selfAudience is that of ID tokens which only distgate reads: no index takes
// one.
const selfAudience = "distgate"

// github is a client for the API that the policy names, with the token that the
// environment gives. GITHUB_API_URL does not choose the API; if it names another
// one, the token is for that.
func (p policy) github(s Streams) (*workflows.Client, error) {
	api := p.api()
	if other := s.Env("GITHUB_API_URL"); other != "" && !sameAddress(other, api) {
		return nil, usageError{p.refuse("github.api", "the API of the GitHub that this job runs on, "+other, api)}
	}
	return githubAt(s, api)
}

// githubAt is a client for the API, with the token that the environment gives.
func githubAt(s Streams, api string) (*workflows.Client, error) {
	token := s.Env("GITHUB_TOKEN")
	if token == "" {
		token = s.Env("GH_TOKEN")
	}
	if token == "" {
		return nil, usagef("set GITHUB_TOKEN: GitHub is asked at " + api +
			"; in a job it is ${{ github.token }} with \"permissions: actions: read, contents: read\", on your machine `gh auth token`")
	}
	client, err := workflows.NewClient(api, token, newSteps(s).github)
	if err != nil {
		return nil, usageError{err}
	}
	return client, nil
}

// judging is the verifier, which asks GitHub for the jobs of the build run where
// the policy wants every one of them proven.
func (p policy) judging(s Streams) (*attest.Verifier, error) {
	if p.build.Hosted != attest.EveryJob {
		return p.verifier, nil
	}
	client, err := p.github(s)
	if err != nil {
		return nil, err
	}
	return p.verifier.Asking(client.Jobs), nil
}

func (p policy) api() string {
	if p.table.GitHub.API == "" {
		return githubAPI
	}
	return p.table.GitHub.API
}

// github tells of pauses.
func (t *steps) github(e workflows.Event) {
	if e.Step == workflows.Waiting {
		printer{t.s.Err}.outcome(string(e.Step), "until "+e.Until.UTC().Format("15:04:05 UTC")+": "+e.Note)
	}
}

// gate is what the policy wants of the environment of the index.
func (p policy) gate(publisher publish.Publisher) workflows.Gate {
	return workflows.Gate{Refs: publisher.Refs, Solo: p.approval.Solo, Rehearsal: p.approval.Rehearsal}
}

// releaseRun is the run that publishes, as GitHub knows it.
type releaseRun struct {
	run         workflows.Run
	environment workflows.Environment
	facts       approval.Run
}

// ownRun asks GitHub for the run that this job is of. Which that is says the ID
// token, and no variable. Its environment must be a gate.
func (r release) ownRun(ctx context.Context, s Streams, token attest.Token) (releaseRun, error) {
	publisher, err := r.policy.publisher(r.index)
	if err != nil {
		return releaseRun{}, err
	}
	raw, err := token(ctx, selfAudience)
	if err != nil {
		return releaseRun{}, err
	}
	claims, err := publisher.Verify(ctx, raw, selfAudience)
	if err != nil {
		return releaseRun{}, err
	}
	id, err := strconv.ParseInt(claims.RunID, 10, 64)
	if err != nil {
		return releaseRun{}, fmt.Errorf("the ID token: want the number of a run, got %q", claims.RunID)
	}
	client, err := r.policy.github(s)
	if err != nil {
		return releaseRun{}, err
	}
	own, err := r.askRun(ctx, client, publisher, id)
	if err != nil {
		return releaseRun{}, err
	}
	if err := r.policy.asBegun(ctx, client, own.run.URL(), claims.SHA); err != nil {
		return releaseRun{}, err
	}
	return own, own.environment.Check(r.policy.gate(publisher))
}

// askRun asks about a run under the policy that the repository itself has now.
func (r release) askRun(ctx context.Context, client *workflows.Client, publisher publish.Publisher, id int64) (releaseRun, error) {
	own, err := askRun(ctx, client, publisher, id, r.staged.Manifest())
	if err != nil {
		return releaseRun{}, err
	}
	return own, r.policy.onBranch(ctx, client, publisher)
}

// askRun gathers what GitHub knows of a run of the repository that publishes, and
// of who started the runs that built the release.
func askRun(ctx context.Context, client *workflows.Client, publisher publish.Publisher, id int64, m staging.Manifest) (releaseRun, error) {
	run, err := client.Run(ctx, publisher.Repository, id)
	if err != nil {
		return releaseRun{}, err
	}
	if strconv.FormatInt(run.RepositoryID, 10) != publisher.RepositoryID {
		return releaseRun{}, fmt.Errorf("%s: want a run of repository %s, got one of %d", run.URL(), publisher.RepositoryID, run.RepositoryID)
	}
	environment, err := client.Environment(ctx, publisher.Repository, publisher.Environment)
	if err != nil {
		return releaseRun{}, err
	}
	reviews, err := client.Reviews(ctx, run)
	if err != nil {
		return releaseRun{}, err
	}
	starters, err := startersOf(ctx, client, run, m)
	return releaseRun{run: run, environment: environment, facts: approval.Run{URL: run.URL(), Since: run.Attempts[0].Started,
		Starters: starters, Reviews: copied(reviews, environment)}}, err
}

// copied are the reviews of the environment, as approval takes them.
func copied(reviews []workflows.Review, e workflows.Environment) (plain []approval.EnvironmentReview) {
	for _, v := range reviews {
		if v.Of(e) {
			plain = append(plain, approval.EnvironmentReview{GitHub: v.By.ID, Login: v.By.Login, Bot: v.By.Bot,
				State: v.State, Comment: v.Comment})
		}
	}
	return plain
}

// startersOf are the ids of who started the run, or a run that built the release,
// in any attempt.
func startersOf(ctx context.Context, client *workflows.Client, run workflows.Run, m staging.Manifest) ([]int64, error) {
	started := []workflows.Run{run}
	asked := map[string]bool{run.URL(): true}
	for _, file := range m.Files {
		for _, e := range file.Evidence {
			repository, id, err := workflows.ParseRunURL(e.Run)
			if err != nil {
				return nil, err
			}
			url := workflows.Run{Repository: repository, ID: id}.URL()
			if asked[url] {
				continue
			}
			built, err := client.Run(ctx, repository, id)
			if err != nil {
				return nil, err
			}
			asked[url], started = true, append(started, built)
		}
	}
	var ids []int64
	for _, run := range started {
		for _, a := range run.Attempts {
			ids = append(ids, a.Actor.ID, a.TriggeringActor.ID)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids), nil
}

// warnOfEnvironment says on stderr what publish would refuse, while there is
// time to mend it. It decides nothing.
func (p policy) warnOfEnvironment(ctx context.Context, s Streams, index string) {
	err := p.environmentFault(ctx, s, index)
	if err == nil {
		return
	}
	out, name := printer{s.Err}, p.table.Index[index].Environment
	out.line("warning    publish would not go on with the environment %s as it is", name)
	out.failure(err)
	inActions(s).command("warning", "environment "+plain(name), "publish would not go on with it as it is:\n"+plain(err.Error()))
}

func (p policy) environmentFault(ctx context.Context, s Streams, index string) error {
	p.approval = p.votingOn(index)
	publisher, err := p.publisher(index)
	if err != nil {
		return err
	}
	client, err := p.github(s)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	environment, err := client.Environment(ctx, publisher.Repository, publisher.Environment)
	if err != nil {
		return err
	}
	return environment.Check(p.gate(publisher))
}

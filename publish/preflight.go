package publish

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/distgate/distgate/attest"
	"github.com/distgate/distgate/staging"
	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

// Preflight is what can be known of an upload before its first byte: one row for
// each question, and the job's claims beside what PyPI compares them with.
type Preflight struct {
	Index   string      `json:"index"`
	Release dist.Digest `json:"release"`
	Rows    []Row       `json:"rows"`
	Claims  []Compared  `json:"claims"`
	Up      []string    `json:"up"`      // names of the files that are there, as they were approved
	Missing []string    `json:"missing"` // of those that are to be sent
	Bytes   int64       `json:"bytes"`   // of those
}

// State is how a row came out.
type State string

const (
	Good    State = "good"
	Look    State = "look"    // nothing is wrong with it, and a person should know
	Refused State = "refused" // see the refusals
)

// Row is one question of a [Preflight], and what was found.
type Row struct {
	What  string `json:"what"`
	State State  `json:"state"`
	Found string `json:"found"`
}

// Compared is a claim of the job's ID token beside what PyPI compares it with.
type Compared struct {
	Claim string `json:"claim"`
	Token string `json:"token"` // what the token says
	With  string `json:"with"`  // what PyPI does with it
}

// inspection is all that the rows of a preflight are judged by.
type inspection struct {
	job      Job
	staged   staging.Staged
	session  *session
	seen     survey
	receipts []Believed
	missing  []dist.File
	now      time.Time
}

// question is one row of a preflight: a new question is a new row. Found is what
// was found; refusals say that nothing may be sent.
type question struct {
	what  string
	judge func(*inspection, context.Context) (found string, state State, err error)
}

func questions() []question {
	return []question{
		{"project", (*inspection).project},
		{"there", (*inspection).there},
		{"attested", (*inspection).attested},
		{"deleted", (*inspection).deleted},
		{"duplicates", (*inspection).twins},
		{"names", (*inspection).names},
		{"python", (*inspection).python},
		{"sizes", (*inspection).sizes},
		{"open until", (*inspection).window},
		{"before", (*inspection).earlier},
		{"log", (*inspection).log},
		{"store", (*inspection).store},
	}
}

// Preflight judges the whole release against the index and its rules, and sends
// nothing. Refusals are of all rows at once, and the rows come with them. It
// shows the index no ID token, so the publisher that is registered there is
// predicted and not proven.
func (j Job) Preflight(ctx context.Context, staged staging.Staged) (Preflight, error) {
	if err := j.complete(staged); err != nil {
		return Preflight{}, err
	}
	j.Progress = oneByOne(j.Progress)
	_, p, err := j.inspect(ctx, staged)
	return p, err
}

// inspect opens a session and puts all questions. Where the session is refused,
// no token was made, and the questions that need none are put all the same.
func (j Job) inspect(ctx context.Context, staged staging.Staged) (*inspection, Preflight, error) {
	in := &inspection{job: j, staged: staged, now: time.Now()}
	p := Preflight{Index: j.Index.Name(), Release: staged.Digest(), Claims: []Compared{}, Up: []string{}, Missing: []string{}}
	var no rule.Refusals
	collect := func(err error) error {
		var refused rule.Refusals
		if errors.As(err, &refused) {
			no = append(no, refused...)
			return nil
		}
		return err
	}
	var err error
	in.session, err = j.open(ctx)
	if p.Rows = append(p.Rows, publisherRow(in.session, err)); in.session != nil {
		p.Claims = in.session.claims.compared()
	}
	if err := collect(err); err != nil {
		return nil, p, err
	}
	if err := in.look(ctx); err != nil {
		if len(no) > 0 {
			err = no // which needs nothing more to be known
		}
		return nil, p, err
	}
	for _, q := range questions() {
		found, state, err := q.judge(in, ctx)
		if err := collect(err); err != nil {
			return in, p, fmt.Errorf("%s: %w", q.what, err)
		}
		if err != nil {
			state, found = Refused, "see below"
		}
		p.Rows = append(p.Rows, Row{q.what, state, found})
	}
	p.fill(in)
	return in, p, no.Err()
}

// fill says what there is to do.
func (p *Preflight) fill(in *inspection) {
	for _, f := range in.seen.files {
		if _, ok := in.seen.offer.there[f.name]; ok {
			p.Up = append(p.Up, f.name)
		}
	}
	for _, f := range in.missing {
		p.Missing = append(p.Missing, f.Name())
		p.Bytes += f.Size()
	}
}

// publisherRow is how the session could be opened.
func publisherRow(s *session, err error) Row {
	row := Row{What: "publisher", State: Refused, Found: "see below"}
	if err == nil {
		row.State = Good
		row.Found = "predicted: owner, repository, workflow and environment are the policy's; the index alone knows what is registered there"
	}
	return row
}

// look gathers what the rows are judged by.
func (in *inspection) look(ctx context.Context) error {
	r, err := newRelease(in.staged)
	if r.project == "" {
		return err
	}
	if in.seen, err = again(ctx, in.job.patience(), func() (survey, error) { return r.survey(ctx, in.job.Index) }); err != nil {
		return err
	}
	for _, f := range in.staged.Files() {
		if _, ok := in.seen.offer.there[f.File().Name()]; !ok {
			in.missing = append(in.missing, f.File())
		}
	}
	in.receipts, _, err = Receipts(ctx, in.job.Store,
		staging.Release{Digest: in.staged.Digest(), Manifest: in.staged.Manifest()}, in.job.Publisher, in.job.Verifier)
	return err
}

// store asks for room for the receipt before anything is sent: what is out cannot be
// taken back, and without a receipt everybody after it calls it foreign.
func (in *inspection) store(ctx context.Context) (string, State, error) {
	if err := in.job.Store.Writable(ctx); err != nil {
		return "", Refused, fmt.Errorf("nothing was sent, since no receipt could be kept: %w", err)
	}
	return "takes the receipt", Good, nil
}

func (in *inspection) project(context.Context) (string, State, error) {
	if !in.seen.known {
		return "new; a pending publisher must be registered for it", Look, nil
	}
	if len(in.missing) > 0 {
		if err := in.seen.offer.takes(in.seen.project); err != nil {
			return "", Refused, err
		}
	}
	return orActive(in.seen.offer.status), Good, nil
}

func orActive(status string) string {
	if status == "" {
		return "active"
	}
	return brief(status)
}

// there is refused where the index has what nobody approved.
func (in *inspection) there(context.Context) (string, State, error) {
	n := len(in.seen.offer.there)
	return fmt.Sprintf("%d of %d, with the bytes of this release", n, len(in.seen.files)), Good, in.seen.refused
}

// attested wants the publisher's attestation of each file that is there. An
// index keeps those that came with a file, and takes none later.
func (in *inspection) attested(ctx context.Context) (string, State, error) {
	var no rule.Refusals
	var candidates []attest.Candidate
	for _, f := range in.staged.Files() {
		name := f.File().Name()
		if _, ok := in.seen.offer.there[name]; !ok {
			continue
		}
		if slices.Contains(in.seen.bare, name) {
			no = append(no, rule.Refusal{File: name, Rule: rule.ServedProvenance,
				Want: "a publish attestation, which came with the file", Got: "a file without any",
				Hint: "it came by another road, and no second upload can mend it: release a new version"})
			continue
		}
		bundles, err := in.job.provenance(ctx, in.seen.release, name)
		if err != nil {
			return "", Refused, err
		}
		candidates = append(candidates, attest.Candidate{File: f.File(), Bundles: bundles})
	}
	if len(candidates) == 0 {
		return "none to judge", Good, no.Err()
	}
	verdict, err := in.job.Verifier.Verify(ctx, in.job.Publisher.Policy(), candidates)
	if err == nil {
		err = verdict.Err()
	}
	var refused rule.Refusals
	if errors.As(err, &refused) {
		err = append(no, refused...)
	} else if err == nil {
		err = no.Err()
	}
	return fmt.Sprintf("%d, of the publisher in the policy", len(candidates)), Good, err
}

// deleted refuses a release of which a receipt says more than the index does: a
// name from which a file was deleted is never free again.
func (in *inspection) deleted(context.Context) (string, State, error) {
	if len(in.receipts) == 0 || len(in.missing) == 0 {
		return "none that a receipt knows of", Good, nil
	}
	var no rule.Refusals
	at := stamp(in.receipts[len(in.receipts)-1].Receipt.Confirmed)
	for _, f := range in.missing {
		no = append(no, rule.Refusal{File: f.Name(), Rule: rule.FileDeleted,
			Want: "a name that the index never had, or the file, which it served at " + at, Got: "nothing",
			Hint: "a deleted file's name cannot be used again: release a new version"})
	}
	return "", Refused, no
}

// twins refuses bytes that the index has under another name: it would take no
// file twice, and the release would never be whole.
func (in *inspection) twins(context.Context) (string, State, error) {
	var no rule.Refusals
	for _, f := range in.seen.files {
		if other, ok := in.seen.twins[f.name]; ok {
			no = append(no, rule.Refusal{File: f.name, Rule: rule.IndexDuplicate, Want: "bytes that the index does not have yet",
				Got: "the same as " + brief(other), Hint: "an index takes no file twice: build the release again, under a new version"})
		}
	}
	return "none in this project", Good, no.Err()
}

// names are those that PyPI takes, and at most one of them is an sdist's.
func (in *inspection) names(context.Context) (string, State, error) {
	var no rule.Refusals
	var sdists []string
	for _, f := range in.staged.Files() {
		var refused rule.Refusals
		if errors.As(f.Info().Filename.CheckIndex(), &refused) {
			no = append(no, refused...)
		}
		if f.Info().Filename.Kind == dist.Sdist {
			sdists = append(sdists, f.File().Name())
		}
	}
	if len(sdists) > 1 {
		no = append(no, rule.Refusal{File: sdists[1], Rule: rule.IndexDuplicate, Want: "one sdist of a release",
			Got: sdists[0] + " too", Hint: "leave one of them out, and stage again"})
	}
	return "as the index wants them", Good, no.Err()
}

func (in *inspection) python(context.Context) (string, State, error) {
	python := ""
	if len(in.seen.files) > 0 {
		python = in.seen.files[0].python
	}
	return "one for all files: " + orNothing(python), Good, in.seen.onePython()
}

// sizes are at most those that the index takes.
func (in *inspection) sizes(context.Context) (string, State, error) {
	limits := in.job.Index.address.Limits
	var no rule.Refusals
	var bytes int64
	for _, f := range in.missing {
		bytes += f.Size()
		if limits.File > 0 && f.Size() > limits.File {
			no = append(no, rule.Refusal{File: f.Name(), Rule: rule.IndexLimit, Want: "at most " + mebibytes(limits.File),
				Got: mebibytes(f.Size()), Hint: "ask the index for a higher limit, and set max-file in the policy's [index]"})
		}
	}
	if all := in.seen.size + bytes; limits.Project > 0 && all > limits.Project {
		no = append(no, rule.Refusal{File: in.seen.project, Rule: rule.IndexLimit,
			Want: "at most " + mebibytes(limits.Project) + " of all files of the project", Got: mebibytes(all),
			Hint: "delete old files, or ask the index for a higher limit and set max-project in the policy's [index]"})
	}
	return fmt.Sprintf("%s to be sent; the project has %s", mebibytes(bytes), mebibytes(in.seen.size)), Good, no.Err()
}

// mebibytes is a size as PyPI says its limits, whose MB have 2^20 bytes.
func mebibytes(n int64) string {
	if n < 1<<20 {
		return fmt.Sprintf("%d bytes", n)
	}
	return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
}

// window refuses a release that takes no files any more.
func (in *inspection) window(context.Context) (string, State, error) {
	until := in.job.Index.closes(in.seen.first)
	if until.IsZero() {
		return "no end in sight: it has no file yet", Good, nil
	}
	if len(in.missing) > 0 && !in.now.Before(until) {
		return "", Refused, rule.Refusals{{File: in.seen.name(), Rule: rule.ReleaseClosed,
			Want: fmt.Sprintf("new files within %v of the first, until %s", in.job.Index.address.Limits.Open, stamp(until)),
			Got:  fmt.Sprintf("%d files to be sent at %s", len(in.missing), stamp(in.now)),
			Hint: "the index has closed this release: release a new version"}}
	}
	return stamp(until) + " at the latest", Good, nil
}

// earlier looks at who published before. Another publisher than the policy's
// can be right, after a move, and is what a mistyped policy looks like.
func (in *inspection) earlier(ctx context.Context) (string, State, error) {
	name := in.seen.earlier
	if name.IsZero() {
		return "nobody of whom the index has attestations", Look, nil
	}
	x := in.job.Index
	at := x.integrity.JoinPath(in.seen.project, name.Version.String(), name.String(), "provenance")
	a, err := again(ctx, in.job.patience(), func() (answer, error) {
		a, err := x.get(ctx, at, integrityJSON, maxProvenance)
		if err == nil && closed(a.says()) {
			err = errors.New(a.says()) // and what is uploaded now would be without attestations
		}
		return a, err
	})
	if err != nil {
		return "", Refused, err
	}
	got := orNothing(brief(publishers(a)))
	want := strings.TrimSpace(fmt.Sprintf("GitHub %s %s %s", in.job.Publisher.Repository,
		strings.TrimPrefix(in.job.Publisher.Workflow, ".github/workflows/"), in.job.Publisher.Environment))
	if strings.EqualFold(got, want) {
		return got + ", as now", Good, nil
	}
	return got + " published " + name.String() + "; now it is " + want, Look, nil
}

// log wants the transparency log whose entries the index takes.
func (in *inspection) log(ctx context.Context) (string, State, error) {
	if len(in.missing) == 0 {
		return "not needed: nothing is to be signed", Good, nil
	}
	address, err := again(ctx, in.job.patience().atMost(issuerLimit), func() (string, error) { return in.job.Signer.Log(ctx) })
	return "Rekor v1 answers at " + address, Good, err
}

// compared are the claims beside what PyPI compares them with (Warehouse,
// oidc/models/github.py). What it does not look at, the policy does.
func (c Claims) compared() []Compared {
	return []Compared{
		{"repository", c.Repository, "the publisher's owner and repository name"},
		{"repository_owner_id", c.RepositoryOwnerID, "the owner's id when the publisher was registered"},
		{"job_workflow_ref", c.JobWorkflowRef, "the publisher's workflow file in that repository, at the job's ref or commit"},
		{"workflow_ref", c.WorkflowRef, "the same, but for attestations alone: of a reusable workflow the two differ, " +
			"and a token is minted for files that are then refused"},
		{"environment", c.Environment, "the publisher's environment, in any case; a publisher without one takes any"},
		{"event_name", c.EventName, "pull_request_target, which it must not be"},
		{"ref", c.Ref, "nothing; the policy does"},
		{"repository_id", c.RepositoryID, "nothing; the policy does"},
		{"runner_environment", c.RunnerEnvironment, "nothing; the policy wants " + hosted},
	}
}

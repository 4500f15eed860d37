package command

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"

	"github.com/distgate/distgate/publish"
	"github.com/distgate/distgate/staging"
	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
	"github.com/distgate/distgate/workflows"
	"github.com/distgate/distgate/workflows/template"
)

// withdrawTable says who takes releases back.
type withdrawTable struct {
	Owners      []string `toml:"owners"`
	Workflow    string   `toml:"workflow"`
	Environment string   `toml:"environment"`
}

// withdrawJob is the one job that may record a withdrawal: like the one that
// publishes, but of another workflow and environment.
func (p policy) withdrawJob(index string) (publish.Publisher, error) {
	job, err := p.publisher(index)
	if err != nil {
		return job, err
	}
	job.Workflow, job.Environment = ".github/workflows/withdraw.yml", template.Withdrawing
	if p.table.Withdraw.Workflow != "" {
		job.Workflow = p.table.Withdraw.Workflow
	}
	if p.table.Withdraw.Environment != "" {
		job.Environment = p.table.Withdraw.Environment
	}
	return job, policyFault(job.Check())
}

func (p policy) withdrawer(index string) (publish.Withdrawer, error) {
	job, err := p.withdrawJob(index)
	return publish.Withdrawer{People: p.approval, Job: job, Verifier: p.verifier}, err
}

// withdrawnFile is withdrawn.toml beside distgate.toml: the releases that were
// taken back, where no registry can drop them. It can only say no, so it is read
// anew each time and is no part of what is approved: to take one release back
// must not cost the votes on the one that repairs it.
const withdrawnFile = "withdrawn.toml"

const withdrawnHead = `# Releases that were taken back. No file of theirs is published again, and
# distgate verify refuses them.
`

// withdrawnEntry is a release in it.
type withdrawnEntry struct {
	Index   string   `toml:"index"`
	Simple  string   `toml:"simple"`
	Version string   `toml:"version"`
	Release string   `toml:"release"`
	Files   []string `toml:"files"`
	Reason  string   `toml:"reason"`
	Instead string   `toml:"instead"`
	Since   string   `toml:"since"`
}

// loadWithdrawn reads the file, if there is one.
func (p *policy) loadWithdrawn(ctx context.Context) error {
	raw, err := p.from(ctx, withdrawnFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if len(raw) > maxPolicyFile {
		return p.refuse(withdrawnFile, fmt.Sprintf("at most %d bytes", maxPolicyFile), "more")
	}
	var said struct {
		Withdrawn []withdrawnEntry `toml:"withdrawn"`
	}
	if err := toml.NewDecoder(bytes.NewReader(raw)).DisallowUnknownFields().Decode(&said); err != nil {
		return rule.Refusals{{File: withdrawnFile, Rule: rule.PolicyValue, Want: "[[withdrawn]] tables as distgate withdraw prints them",
			Got: err.Error(), Hint: "correct the file"}}
	}
	p.withdrawnRaw = raw
	for i, e := range said.Withdrawn {
		w, fault := e.read()
		if fault != "" {
			return rule.Refusals{{File: withdrawnFile, Rule: rule.PolicyValue, Want: fmt.Sprintf("entry %d: %s", i+1, fault),
				Got: orNothing(e.Index + " " + e.Version), Hint: "write it as distgate withdraw prints it"}}
		}
		p.withdrawn = append(p.withdrawn, indexed{e.Index, e.Simple, w})
	}
	return nil
}

// indexed is a withdrawal from one index, as it was called and where it was then.
type indexed struct {
	index, simple string // simple is "" where the entry does not say
	publish.Withdrawn
}

// withdrawnOn are the withdrawals from an index. What it is called can change, and
// so can where it is: an entry is passed over only if it is about another index of
// the policy.
func (p policy) withdrawnOn(index string) (list []publish.Withdrawn) {
	for _, e := range p.withdrawn {
		about := map[string]bool{}
		for name := range p.table.Index {
			if e.simple == p.address(name).Simple || e.simple == "" && e.index == name {
				about[name] = true
			}
		}
		if len(about) == 0 || about[index] {
			list = append(list, e.Withdrawn)
		}
	}
	return list
}

// read says what an entry should have and has not, or nothing.
func (e withdrawnEntry) read() (w publish.Withdrawn, fault string) {
	w = publish.Withdrawn{Reason: e.Reason, Instead: e.Instead, By: withdrawnFile}
	var err error
	if w.Version, err = dist.ParseVersion(e.Version); err != nil || e.Index == "" || e.Reason == "" {
		return w, "an index, a version and a reason"
	}
	if w.Since, err = time.Parse(time.RFC3339, e.Since); err != nil {
		return w, "since, as 2026-11-21T20:30:00Z"
	}
	if e.Release != "" {
		if w.Release, err = dist.ParseDigest(e.Release); err != nil {
			return w, "release, as sha256: and 64 digits"
		}
	}
	for _, f := range e.Files {
		digest, err := dist.ParseDigest(f)
		if err != nil {
			return w, "files, each as sha256: and 64 digits"
		}
		w.Files = append(w.Files, digest)
	}
	if len(w.Files) == 0 { // by a release alone nobody knows a file that he has
		return w, `files = ["sha256:…"], of each file that was taken back`
	}
	return w, ""
}

// withdrawnEntryOf is what stands in withdrawn.toml for a withdrawal.
func withdrawnEntryOf(index publish.Address, w publish.Withdrawn) string {
	var b strings.Builder
	fmt.Fprintf(&b, "[[withdrawn]]\nindex = %s\nsimple = %s\nversion = %s\n", strconv.Quote(index.Name), strconv.Quote(index.Simple),
		strconv.Quote(w.Version.String()))
	if !w.Release.IsZero() {
		fmt.Fprintf(&b, "release = %q\n", w.Release)
	}
	fmt.Fprintf(&b, "reason = %s\n", strconv.Quote(w.Reason))
	if w.Instead != "" {
		fmt.Fprintf(&b, "instead = %s\n", strconv.Quote(w.Instead))
	}
	fmt.Fprintf(&b, "since = %q\nfiles = [\n", w.Since.UTC().Format(time.RFC3339))
	for _, f := range w.Files {
		fmt.Fprintf(&b, "    %q,\n", f)
	}
	return b.String() + "]\n"
}

// withdrawnOf are the entries about a release for an index.
func (p policy) withdrawnOf(index string, release dist.Digest, m staging.Manifest) (list []publish.Withdrawn) {
	return slices.DeleteFunc(p.withdrawnOn(index), func(w publish.Withdrawn) bool { return !w.Of(release, m) })
}

// withdrawnOnBranch demands that the folder knows of every withdrawal that the
// release repository's default branch has.
func (p policy) withdrawnOnBranch(ctx context.Context, client *workflows.Client, r workflows.Repository) error {
	raw, err := client.File(ctx, r, withdrawnFile)
	if errors.Is(err, fs.ErrNotExist) {
		raw, err = nil, nil
	}
	if err != nil || bytes.Equal(raw, p.withdrawnRaw) {
		return err
	}
	return rule.Refusals{{File: withdrawnFile, Rule: rule.PolicyBranch,
		Want: fmt.Sprintf("as the branch %s of %s has it", r.DefaultBranch, r.Name), Got: "another",
		Hint: "take the branch's file"}}
}

// withdrawn refuses a release that was taken back, by a record in the store or by
// withdrawn.toml.
func (r release) withdrawn(ctx context.Context, s Streams) error {
	m := r.staged.Manifest()
	list, err := r.policy.withdrawals(ctx, s, r.store, r.index, staging.Release{Digest: r.staged.Digest(), Manifest: m})
	if err == nil {
		err = takenBack(list, m.Project+" "+m.Version).Err()
	}
	return err
}

// takenBack are the refusals of a release that was withdrawn, each once: several
// releases of one version, which have the same files, have an entry each.
func takenBack(list []publish.Withdrawn, what string) (no rule.Refusals) {
	for _, w := range list {
		if refusal := w.Refusal(what); !slices.Contains(no, refusal) {
			no = append(no, refusal)
		}
	}
	return no
}

// withdrawals are those of a release that stand, wherever they stand written.
// Records that do not count are shown on stderr.
func (p policy) withdrawals(ctx context.Context, s Streams, store *staging.Store, index string, r staging.Release) ([]publish.Withdrawn, error) {
	withdrawer, err := p.withdrawer(index)
	if err != nil {
		return nil, err
	}
	list, refused, err := withdrawer.Withdrawals(ctx, store, r, s.Now())
	printer{s.Err}.refusals(refused)
	return slices.Concat(list, p.withdrawnOf(index, r.Digest, r.Manifest)), err
}

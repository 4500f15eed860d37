package publish

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/distgate/distgate/approval"
	"github.com/distgate/distgate/attest"
	"github.com/distgate/distgate/staging"
	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

// WithdrawalType is the predicate type of a withdrawal's statement, and
// WithdrawalKind the kind of its record.
const (
	WithdrawalType = "https://github.com/distgate/distgate/withdrawal/v1"
	WithdrawalKind = "withdrawal"
)

const maxReason = 1000 // bytes

// Withdrawal says that a release is taken back, or that it is put back: then it
// names the withdrawals that no longer stand. It is the predicate of a statement
// about the release digest.
//
// Anybody on the list takes a release back, and so does the job that the policy
// names for it. Only a person puts one back.
type Withdrawal struct {
	Index    string        `json:"index"`
	Project  string        `json:"project"`
	Version  string        `json:"version"`
	Files    []dist.Digest `json:"files"`    // of the release: sorted, each once
	PutsBack []dist.Digest `json:"putsBack"` // statements of withdrawals: sorted, never null; none takes back
	Reason   string        `json:"reason"`   // one line
	Instead  string        `json:"instead"`  // the version to use in its place, or ""
	Issued   time.Time     `json:"issued"`   // UTC, whole seconds
}

// Withdraw is the withdrawal of a release. Where it is to be put back, the
// withdrawals that stand are named, and it is not older than they are.
func Withdraw(m staging.Manifest, standing []Withdrawn, reason, instead string, now time.Time) Withdrawal {
	w := Withdrawal{Index: m.Index, Project: m.Project, Version: m.Version, Files: []dist.Digest{}, PutsBack: []dist.Digest{},
		Reason: reason, Instead: instead, Issued: now.UTC().Truncate(time.Second)}
	for _, f := range m.Files {
		w.Files = append(w.Files, f.Digest)
	}
	for _, s := range standing {
		if !s.Statement.IsZero() {
			w.PutsBack = append(w.PutsBack, s.Statement)
		}
		if s.Since.After(w.Issued) { // by another clock
			w.Issued = s.Since
		}
	}
	slices.SortFunc(w.Files, byHex)
	slices.SortFunc(w.PutsBack, byHex)
	w.Files, w.PutsBack = slices.Compact(w.Files), slices.Compact(w.PutsBack)
	return w
}

func byHex(a, b dist.Digest) int { return strings.Compare(a.Hex(), b.Hex()) }

// Statement is the withdrawal of that release, ready to be signed.
func (w Withdrawal) Statement(release dist.Digest) ([]byte, error) {
	if fault := w.fault(); fault != "" || release.IsZero() {
		return nil, fmt.Errorf("withdrawal: want %s, and a release", fault)
	}
	return attest.Encode(attest.Statement[Withdrawal]{Name: w.Project + "-" + w.Version, Subject: release,
		Type: WithdrawalType, Predicate: w})
}

// fault is what a withdrawal should have and has not.
func (w Withdrawal) fault() string {
	_, offset := w.Issued.Zone()
	for _, row := range []struct {
		holds bool
		want  string
	}{
		{isReason(w.Reason), fmt.Sprintf("a reason of one printable line, of at most %d bytes", maxReason)},
		{w.Instead == "" || isVersion(w.Instead), "a version to use instead, or none"},
		{w.Files != nil && w.PutsBack != nil, "lists of files and of withdrawals"},
		{offset == 0 && w.Issued.Equal(w.Issued.Truncate(time.Second)) && !w.Issued.IsZero(), "a time in UTC and whole seconds"},
	} {
		if !row.holds {
			return row.want
		}
	}
	return ""
}

func isReason(s string) bool {
	return strings.TrimSpace(s) != "" && len(s) <= maxReason && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}

func isVersion(s string) bool {
	_, err := dist.ParseVersion(s)
	return err == nil
}

// Withdrawn is a release that was taken back, and where that stands written.
type Withdrawn struct {
	Release   dist.Digest   `json:"release,omitzero"` // or zero, of files that were never released here
	Version   dist.Version  `json:"version"`
	Files     []dist.Digest `json:"files"`
	Reason    string        `json:"reason"`
	Instead   string        `json:"instead,omitempty"`
	Since     time.Time     `json:"since"`
	By        string        `json:"by"`                 // who says so: a person, a workflow run, or the file
	Statement dist.Digest   `json:"statement,omitzero"` // of a record
}

// Of tells whether it is this release that was taken back, or one that has a
// file of it.
func (w Withdrawn) Of(release dist.Digest, m staging.Manifest) bool {
	return w.Release == release && !release.IsZero() || slices.ContainsFunc(m.Files, func(f staging.File) bool {
		return slices.Contains(w.Files, f.Digest)
	})
}

// Refusal is why a release that was taken back is not published, whatever name
// the thing has that was looked at.
func (w Withdrawn) Refusal(file string) rule.Refusal {
	got := fmt.Sprintf("withdrawn on %s (%s): %s", w.Since.Format(time.DateOnly), w.By, w.Reason)
	hint := "release a new version"
	if w.Instead != "" {
		hint = "use " + w.Instead
	}
	return rule.Refusal{File: file, Rule: rule.ReleaseWithdrawn, Want: "a release that was not taken back", Got: brief(got),
		Hint: hint + "; if it was a mistake: distgate withdraw " + w.Version.String() + " --undo --reason …"}
}

// Withdrawer is who may take a release back: people on the list, and one job.
type Withdrawer struct {
	People   approval.Policy
	Job      Publisher // its workflow and its environment are not those that publish
	Verifier *attest.Verifier
}

// Withdrawals reads the withdrawals of a release that stand now: each that somebody
// who may signed, and that no person on the list put back since, with a key that is
// valid still. Of a put-back only its signer says when it was signed, and whoever
// has an old key can say what he likes; so it ends with its key, and somebody else
// signs it again. Why others do not count is in refused. No withdrawal does not mean
// that nobody withdrew it: whoever can write to the store can take one out of it.
func (w Withdrawer) Withdrawals(ctx context.Context, store *staging.Store, r staging.Release, now time.Time) (
	standing []Withdrawn, refused rule.Refusals, err error,
) {
	if store == nil || w.Verifier == nil || now.IsZero() {
		return nil, nil, errors.New("publish: no store, verifier or time to read withdrawals with")
	}
	records, refused, err := store.Records(ctx, r.Digest, WithdrawalKind)
	if err != nil {
		return nil, nil, err
	}
	for _, m := range refused {
		if m.Rule == rule.StoredBytes {
			return nil, nil, errors.New(m.File + " is missing or damaged, and could have been a withdrawal; " +
				"restore it from another copy of the store")
		}
	}
	back := map[dist.Digest]time.Time{}
	for _, record := range records {
		said, by, err := w.Judge(record, r, now)
		var no rule.Refusals
		switch {
		case errors.As(err, &no):
			refused = append(refused, no...)
		case err != nil:
			return nil, nil, err
		case len(said.PutsBack) > 0:
			for _, d := range said.PutsBack {
				if said.Issued.After(back[d]) {
					back[d] = said.Issued
				}
			}
		default:
			standing = append(standing, said.withdrawn(r.Digest, dist.Sum(record.Statement), by))
		}
	}
	standing = slices.DeleteFunc(standing, func(s Withdrawn) bool { return !back[s.Statement].Before(s.Since) })
	slices.SortStableFunc(standing, func(a, b Withdrawn) int { return a.Since.Compare(b.Since) })
	return standing, refused, nil
}

func (w Withdrawal) withdrawn(release, statement dist.Digest, by string) Withdrawn {
	version, _ := dist.ParseVersion(w.Version)
	return Withdrawn{Release: release, Version: version, Files: w.Files, Reason: w.Reason, Instead: w.Instead,
		Since: w.Issued, By: by, Statement: statement}
}

// Judge reads one record: what it says, that it is about the release, and who
// signed it, a person or a run. Nothing is decided by it.
func (w Withdrawer) Judge(record staging.Record, r staging.Release, now time.Time) (Withdrawal, string, error) {
	name := "withdrawal " + dist.Sum(record.Statement).Hex()[:16]
	s, err := attest.Decode[Withdrawal](name, record.Statement, WithdrawalType)
	if err != nil {
		return Withdrawal{}, "", err
	}
	said, m := s.Predicate, r.Manifest
	for _, row := range []struct{ want, got string }{
		{"release " + r.Digest.String(), "release " + s.Subject.String()},
		{m.Index + " " + m.Project + " " + m.Version, said.Index + " " + said.Project + " " + said.Version},
		{"", said.fault()},
	} {
		if row.want != row.got {
			return Withdrawal{}, "", notWithdrawal(name, row.want, row.got)
		}
	}
	if len(record.SSHSIG) > 0 {
		valid := []time.Time{said.Issued}
		if len(said.PutsBack) > 0 {
			valid = append(valid, now)
		}
		person, err := w.People.Author(record.Statement, record.SSHSIG, valid...)
		if err != nil {
			return Withdrawal{}, "", err
		}
		return said, person.Name(), nil
	}
	if len(said.PutsBack) > 0 {
		return Withdrawal{}, "", notWithdrawal(name, "a person who puts a release back", "a job")
	}
	run, err := w.job(name, record, r.Digest)
	return said, run, err
}

// job is the run that signed a withdrawal.
func (w Withdrawer) job(name string, record staging.Record, release dist.Digest) (string, error) {
	bundles, err := attest.ParseBundles(name, bytes.NewReader(record.Bundle))
	if err != nil {
		return "", err
	}
	if len(bundles) != 1 {
		return "", notWithdrawal(name, "one signature", fmt.Sprint(len(bundles)))
	}
	payload, evidence, err := w.Verifier.VerifyStatement(w.Job.Policy(), bundles[0], release, WithdrawalType)
	if err != nil {
		return "", err
	}
	if !bytes.Equal(payload, record.Statement) {
		return "", notWithdrawal(name, "the statement that was signed", "another")
	}
	return evidence.Run, nil
}

func notWithdrawal(name, want, got string) error {
	return rule.Refusals{{File: name, Rule: rule.WithdrawalRecord, Want: orNothing(want), Got: orNothing(brief(got)),
		Hint: "see who may write to the store; the record is shown and decides nothing"}}
}

// Record signs the withdrawal of a release as the job that runs here.
func (w Withdrawal) Record(ctx context.Context, release dist.Digest, signer *attest.Signer) (staging.Record, error) {
	statement, err := w.Statement(release)
	if err != nil {
		return staging.Record{}, err
	}
	bundle, err := signer.Sign(ctx, WithdrawalKind, statement)
	return staging.Record{Kind: WithdrawalKind, Statement: statement, Bundle: bundle.Raw()}, err
}

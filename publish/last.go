package publish

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"time"

	"github.com/distgate/distgate/attest"
	"github.com/distgate/distgate/staging"
	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

// Last is a release that a receipt says was published.
type Last struct {
	staging.Release
	Believed bool // the publisher of today's policy signed the receipt
	at       time.Time
}

// LastPublished finds the release, other than own, that was published last and
// counts, by the receipts in the store. Under which name an index has it is not
// asked, since a policy gives those: a receipt that is believed was signed by the
// same job. If none is, it is the highest version of the project that has any. It
// has no digest where the store knows of none, which proves nothing.
func LastPublished(
	ctx context.Context, store *staging.Store, own staging.Release, p Publisher, v *attest.Verifier,
	counts func(context.Context, staging.Release) (bool, error),
) (Last, error) {
	releases, _, err := store.Releases(ctx)
	if err != nil {
		return Last{}, err
	}
	var list []Last
	for _, r := range slices.Backward(releases) { // by version
		if r.Digest == own.Digest {
			continue
		}
		believed, refused, err := Receipts(ctx, store, r, p, v)
		if err != nil {
			return Last{}, err
		}
		if n := len(believed); n > 0 { // by time
			list = append(list, Last{r, true, believed[n-1].Receipt.Confirmed})
		} else if len(refused) > 0 && r.Manifest.Project == own.Manifest.Project {
			list = append(list, Last{Release: r})
		}
	}
	slices.SortStableFunc(list, func(a, b Last) int {
		return b.at.Compare(a.at) // one that is not believed has no time
	})
	for _, last := range list {
		if ok, err := counts(ctx, last.Release); ok || err != nil {
			return last, err
		}
	}
	return Last{}, nil
}

// maxAsked is of how many releases the provenance is asked for, the last first.
const maxAsked = 10

// Commit is where a file that an index serves was published from, as its
// provenance proves.
type Commit struct {
	SHA  string      // of the publisher's repository; "" where none is known
	File dist.Digest // the file
}

// LastCommit is where a file of the project was published from last by the
// publisher's repository. Which workflow published it, and from which ref, is not
// judged: whoever asks wants to know what held there, before the policy named
// another. There is none where the last ten releases with provenance have none of
// that repository. Provenance that is listed and cannot be had, or that no root
// verifies, could be of it: that is an error. An index that gives no answer is waited
// for as long as the witness has patience.
func (w Witness) LastCommit(ctx context.Context, project string) (Commit, error) {
	list, err := again(ctx, w.forAnswer(), func() ([]served, error) { return w.Index.attested(ctx, project) })
	if err != nil {
		return Commit{}, err // of half a page nobody knows what was last
	}
	for _, s := range list {
		if commit, err := w.commitOf(ctx, s); commit != "" || err != nil {
			return Commit{commit, s.digest}, err
		}
	}
	return Commit{}, nil
}

// forAnswer is how long an answer about the past is waited for: by a job that would
// have to be approved again, as long as it may, and else not long.
func (w Witness) forAnswer() patience {
	if w.Patience > 0 {
		return w.patience()
	}
	return briefly()
}

// attested is one file with provenance of each of the last releases, the last
// upload first.
func (x *Index) attested(ctx context.Context, project string) ([]served, error) {
	last := map[string]served{} // by version
	_, err := x.list(ctx, project, func(_ []served, at *url.URL, e entry) ([]served, error) {
		name, err := dist.ParseFilename(e.filename)
		if err != nil || e.attested == nil {
			return nil, nil
		}
		to, err := at.Parse(e.url)
		if err != nil {
			return nil, err
		}
		s, err := e.served(to)
		if err == nil && s.at().IsZero() {
			err = fmt.Errorf("%s has provenance, and no time of its upload", brief(e.filename))
		}
		if version := name.Version.String(); err == nil && !s.at().Before(last[version].at()) {
			last[version] = s
		}
		return nil, err
	})
	list := slices.SortedFunc(maps.Values(last), func(a, b served) int { return b.at().Compare(a.at()) })
	return list[:min(len(list), maxAsked)], err
}

// at is when the file was uploaded, as the index says it, or the zero time.
func (s served) at() time.Time {
	at, _ := time.Parse(time.RFC3339Nano, s.uploaded)
	return at
}

// commitOf is the commit that the file's provenance names, or "" where every
// attestation is of another repository.
func (w Witness) commitOf(ctx context.Context, s served) (string, error) {
	_, bundles, err := w.Index.Provenance(ctx, Offered{Name: s.name, served: s})
	if err != nil {
		return "", undecided(err)
	}
	p := w.Publisher.Policy()
	p.SAN, p.Signer, p.Repository, p.Ref = attest.Any(), attest.Any(), attest.Any(), attest.Any()
	p.Workflow, p.Trigger, p.Environment, p.Runner = attest.Any(), attest.Any(), attest.Any(), attest.Any()
	for _, b := range bundles {
		_, evidence, err := w.Verifier.VerifyStatement(p, b, s.digest, attest.PublishV1)
		if err == nil {
			return evidence.Commit, nil
		}
		if !ofAnother(err) {
			return "", undecided(err)
		}
	}
	return "", nil
}

// ofAnother tells whether what was verified is of another repository, or says
// something else.
func ofAnother(err error) bool {
	var no rule.Refusals
	return errors.As(err, &no) && !slices.ContainsFunc(no, func(r rule.Refusal) bool {
		return r.Rule != rule.IdentityIssuer && r.Rule != rule.IdentityID && r.Rule != rule.SubjectMissing
	})
}

// undecided is a refusal that refuses nothing here: it leaves a question open.
func undecided(err error) error {
	return fmt.Errorf("who published the last release: %s", err)
}

package approval

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/distgate/distgate/attest"
	"github.com/distgate/distgate/staging"
	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

// Review is what a person is shown before voting: the facts of one staged
// release, who decides, and what was and was not proven. It is plain data, and
// the same for everybody who looks with the same version of distgate.
type Review struct {
	Release     dist.Digest        `json:"release"`
	Project     string             `json:"project"`
	Version     string             `json:"version"`
	Index       string             `json:"index"`
	Environment string             `json:"environment"`
	Source      staging.Source     `json:"source"`
	Hosted      attest.Hosted      `json:"hosted"`
	Files       []File             `json:"files"` // by name
	Bytes       int64              `json:"bytes"` // all files together
	Set         Set                `json:"set"`
	LeftOut     []staging.LeaveOut `json:"leftOut"`
	Origin      staging.Origin     `json:"origin"`
	Policy      staging.PolicyLock `json:"policy"`
	Roots       []dist.Digest      `json:"roots"`
	Voting      Voting             `json:"voting"`
	Proven      []Note             `json:"proven"`
	NotProven   []Note             `json:"notProven"`
}

// File is one distribution with what its name says it can be installed on,
// like "cp312-cp312-win_amd64" (nothing for an sdist), and what is inside.
type File struct {
	staging.File
	Tags     string        `json:"tags"`
	Contents dist.Contents `json:"contents"`
}

// Voting says how this release is decided.
type Voting struct {
	Need   int      `json:"need"`   // people
	Roads  []Road   `json:"roads"`  // by which approvals count, sorted
	MaxAge int64    `json:"maxAge"` // seconds for which an approval holds
	Solo   bool     `json:"solo"`
	Touch  bool     `json:"touch,omitempty"` // every vote is by a security key, which was touched
	People []Person `json:"people"`
}

// Note is one thing that was proven, or was not, in a plain sentence. The id
// stays the same where the sentence is worded better.
type Note struct {
	ID   string `json:"id"`
	Text string `json:"text"`
}

// Show gathers the facts. The policy must be the one that was staged: its
// allowed_signers is a file of the release.
func Show(s staging.Staged, p Policy) (Review, error) {
	m := s.Manifest()
	if s.IsZero() || len(m.Files) == 0 {
		return Review{}, errors.New("review: want a staged release, got none")
	}
	if err := p.staged(m.Policy); err != nil {
		return Review{}, err
	}
	r := Review{
		Release: s.Digest(), Project: m.Project, Version: m.Version, Index: m.Index, Environment: m.Environment,
		Source: m.Source, Hosted: m.Hosted, Origin: m.Origin, Policy: m.Policy, Roots: m.Roots,
		LeftOut: append([]staging.LeaveOut{}, m.LeftOut...),
		Voting:  p.voting(),
		Set:     newSet(ships(s.Files())),
	}
	contents := map[string]dist.Contents{}
	for _, f := range s.Files() {
		contents[f.File().Name()] = f.Info().Contents
	}
	for _, f := range m.Files {
		name, err := dist.ParseFilename(f.Name)
		if err != nil {
			return Review{}, err
		}
		file := File{File: f, Contents: contents[f.Name]}
		if file.Contents.IsZero() {
			return Review{}, fmt.Errorf("review: %s: want what is inside, got a file that nobody looked into", f.Name)
		}
		if name.Kind == dist.Wheel {
			file.Tags = strings.Join([]string{name.Python, name.ABI, name.Platform}, "-")
		}
		r.Files, r.Bytes = append(r.Files, file), r.Bytes+f.Size
	}
	r.note()
	return r, nil
}

// Unseen are the rules of findings to look at that are not said to be seen: sorted,
// each once.
func Unseen(found []rule.Finding, seen []rule.ID) (ids []rule.ID) {
	for _, f := range found {
		if f.Severity == rule.Look && !slices.Contains(seen, f.Rule) {
			ids = append(ids, f.Rule)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// voting lists people by id, in whatever order the policy was decoded.
func (p Policy) voting() Voting {
	people := slices.Clone(p.People)
	slices.SortFunc(people, func(a, b Person) int { return cmp.Compare(a.GitHub, b.GitHub) })
	return Voting{Need: p.Need, Roads: slices.Sorted(slices.Values(p.Roads)), MaxAge: int64(p.MaxAge.Seconds()),
		Solo: p.Solo, Touch: !p.Counts(Environment) && p.Signers.touched(), People: people}
}

// staged demands that allowed_signers is a file of the staged policy, where
// there has to be one.
func (p Policy) staged(lock staging.PolicyLock) error {
	if len(p.Signers.keys) == 0 && !p.Counts(Signed) && p.roadsKnown() {
		return nil
	}
	listed := func(f staging.PolicyLockFile) bool { return f.Digest == p.Signers.digest }
	if len(p.Signers.keys) > 0 && slices.ContainsFunc(lock.Files, listed) {
		return nil
	}
	got := fmt.Sprintf("%s %s", p.Signers.file, p.Signers.digest)
	if len(p.Signers.keys) == 0 {
		got = "none"
	}
	return rule.Refusals{policyRefusal("an allowed_signers file that was staged with the release", got,
		"the policy changed since the release was staged: stage it again")}
}

// Encode returns the one encoding of the facts: JSON on one line, fields in the
// order above, a newline at the end.
func (r Review) Encode() ([]byte, error) {
	if r.Release.IsZero() {
		return nil, errors.New("review: want one of a staged release, got an empty one")
	}
	raw, err := json.Marshal(r)
	return append(raw, '\n'), err
}

// Digest is the SHA-256 of the encoding: what a vote names as what was shown.
func (r Review) Digest() (dist.Digest, error) {
	raw, err := r.Encode()
	if err != nil {
		return dist.Digest{}, err
	}
	return dist.Sum(raw), nil
}

// noteRow is a note that is shown when it holds.
type noteRow struct {
	proven bool
	when   bool
	note   Note
}

// note fills in what was proven and what was not: a new fact is a new row.
func (r *Review) note() {
	r.Proven, r.NotProven = []Note{}, []Note{}
	for _, row := range slices.Concat([]noteRow{
		{true, true, Note{"bytes", "Each file was hashed here, and the release digest covers every file, " +
			"its evidence, this list and the policy."}},
		{true, true, Note{"provenance", "Each file is named, by its name and SHA-256, in signed build provenance " +
			"that meets the policy, and the provenance agrees with its certificate."}},
		{true, true, Note{"one-release", "All files are of one project, one version and one source commit; " +
			"their names and their metadata say the same."}},
		{true, true, Note{"expected-files", "The release has exactly the files that the policy expects: " +
			"none is missing, and none is more."}},
		{true, true, Note{"inspected", "Each file was read to its end: its members are what its RECORD and its " +
			"archive say, and no rule refuses them."}},
		{true, r.Hosted == attest.EveryJob, Note{"hosted-every-job", "Every job of the build run ran on a runner " +
			"that the policy allows, and the certificate says so for the job that signed."}},
		{true, r.Hosted == attest.Certificate, Note{"hosted-certificate", "The job that signed ran on a runner " +
			"that the policy allows: its certificate says so."}},
		{false, r.Hosted == attest.Certificate, Note{"hosted-other-jobs", "The certificate speaks only of the job " +
			"that signed. Where the other jobs of the run worked was not asked."}},
	}, r.sourceNotes(), []noteRow{
		{false, true, Note{"contents", "Nobody proved that what is in the files is good. How far the " +
			"source commit and the last release explain it is shown, where they could be had."}},
		{false, len(r.LeftOut) > 0, Note{"left-out", "The policy keeps some files out of the release. " +
			"They were not looked at."}},
		{true, r.Voting.Touch, Note{"touch", "Each key that may vote is a security key, and a vote counts only if " +
			"the key was touched for it."}},
		{false, r.Voting.Solo && r.Voting.Touch, Note{"one-person", "One person builds and approves this release, by the " +
			"touch of a security key. Nobody else has to look at it."}},
		{false, r.Voting.Solo && !r.Voting.Touch, Note{"one-person", "One person builds and approves this release. " +
			"Nobody else has to look at it, and whoever has that person's account or computer can approve it: " +
			"it wants no touch of a security key."}},
	}) {
		switch {
		case row.when && row.proven:
			r.Proven = append(r.Proven, row.note)
		case row.when:
			r.NotProven = append(r.NotProven, row.note)
		}
	}
}

// Package staging holds a release still between the day it was built and the
// moment it is uploaded.
//
// [Stage] takes a whole [attest.Verdict] and makes of it one OCI artifact in a
// [Store]:
//
//	image manifest          its SHA-256 is the release digest: what is approved
//	├─ config               the release [Manifest]
//	└─ layers               each distribution, bundle and policy file, with its name
//
// No time, host or order of arrival is in it, so staging the same files twice
// gives the same digest. [Open] is the way back. It believes nothing that it
// reads: it hashes every file again, reads it to its end and judges what is
// inside, verifies its bundles again, builds manifest and artifact anew from what
// that proved, and demands the digest that was asked for. It ends in [Staged], the
// proof that this was done in this process, and the only door to the files' bytes.
//
// A store is an OCI image layout in a folder, or a repository of an OCI registry
// where a team outgrows one machine. Both hold the same bytes, so a release has
// one digest wherever it is staged. A registry need not hold the distributions,
// which are large and can be had again from the build; then they are brought to
// [Store.Blobs] before a release is opened. (See holding.go for how an artifact
// lies in a registry without all of its layers.)
//
// Which files a release has stands in the policy: [Expected]. Both functions hold
// the files against it, so that none is missing, none is there twice, and none
// that nobody thought of goes along. [Describe] is the way to such a set.
//
// What people and jobs say of a release, votes and receipts among it, are
// [Record] values under its digest. [Store.Attach] gives each a tag of its own,
// so that no two writers change the same thing; [Store.Records] finds them by
// listing tags. A record here is a claim: who reads one judges its signature.
//
// Everything has one encoding, and reading is: decode, encode again, demand the
// same bytes. What is malformed is refused by name and never skipped in
// silence; but absence proves nothing, for whoever can write to a store can
// also take from it.
package staging

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/distgate/distgate/attest"
	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

// Policy is what must hold of a release for it to be staged. Every field is
// required, except that nothing need be left out.
type Policy struct {
	Project     string // normalised as PEP 503 has it
	Index       string // where it will be uploaded to
	Environment string // the GitHub environment that publishes it
	Build       attest.Policy
	Source      SourceRules // where it comes from
	Expected    Expected    // which files the release has
	LeaveOut    []LeaveOut
	Files       []PolicyFile // distgate.toml and every file that it names
}

// PolicyFile is a file of the policy as it was read: its slash-separated path,
// relative to distgate.toml, and its bytes.
type PolicyFile struct {
	Name string
	Raw  []byte
}

// LeaveOut is a line of the policy that keeps files out of every release.
type LeaveOut struct {
	Files  string `json:"files"`  // a pattern as [path.Match] has it
	Reason string `json:"reason"` // shown to whoever approves
}

// LeavesOut returns the line that keeps the named file out of a release.
func (p Policy) LeavesOut(name string) (LeaveOut, bool) {
	for _, line := range p.LeaveOut {
		if ok, err := path.Match(line.Files, name); ok && err == nil {
			return line, true
		}
	}
	return LeaveOut{}, false
}

const (
	maxPolicyFiles = 64
	maxPolicyFile  = 8 << 20 // bytes
)

// check refuses a policy that leaves something open.
func (p Policy) check() error {
	var no rule.Refusals
	for _, f := range append(p.faults(), p.fileFaults()...) {
		no = append(no, rule.Refusal{File: "policy", Rule: rule.PolicyFiles, Want: f.want, Got: orNothing(f.got),
			Hint: "give distgate.toml, and every file that it names, as the default branch has them"})
	}
	return no.Err()
}

type fault struct{ want, got string }

func (p Policy) faults() (list []fault) {
	if name, err := dist.NormalizeName(p.Project); err != nil || name != p.Project {
		list = append(list, fault{"a normalised project name", p.Project})
	}
	for _, field := range []fault{
		{"index", p.Index}, {"environment", p.Environment}, {"hosted", string(p.Build.Hosted)},
	} {
		if !printable(field.got) {
			list = append(list, fault{"a value for " + field.want, field.got})
		}
	}
	if p.Expected.IsZero() {
		list = append(list, fault{"the files that a release has: [files], or [series]", ""})
	}
	for _, line := range p.LeaveOut {
		if _, err := path.Match(line.Files, ""); err != nil || !printable(line.Files) || !printable(line.Reason) {
			list = append(list, fault{"a pattern and a reason for what is left out",
				fmt.Sprintf("%q, %q", line.Files, line.Reason)})
		}
	}
	if p.Source.isZero() {
		return list
	}
	if p.Source.Keeper == nil {
		list = append(list, fault{"somebody who can be asked for the source", ""})
	}
	return append(list, p.Source.faults()...)
}

func (p Policy) fileFaults() (list []fault) {
	if len(p.Files) == 0 || len(p.Files) > maxPolicyFiles {
		return []fault{{fmt.Sprintf("1 to %d files", maxPolicyFiles), fmt.Sprint(len(p.Files))}}
	}
	seen := map[string]bool{}
	for _, f := range p.Files {
		if !fs.ValidPath(f.Name) || f.Name == "." || !printable(f.Name) || seen[f.Name] {
			list = append(list, fault{"a relative path that no other file has", f.Name})
		}
		if len(f.Raw) == 0 || len(f.Raw) > maxPolicyFile {
			list = append(list, fault{fmt.Sprintf("1 to %d bytes of %s", maxPolicyFile, f.Name),
				fmt.Sprint(len(f.Raw))})
		}
		seen[f.Name] = true
	}
	return list
}

func (p Policy) sorted() []PolicyFile {
	return slices.SortedFunc(slices.Values(p.Files), func(a, b PolicyFile) int { return strings.Compare(a.Name, b.Name) })
}

// lock is the policy as the manifest names it.
func (p Policy) lock() PolicyLock {
	lock := PolicyLock{Files: make([]PolicyLockFile, 0, len(p.Files))}
	for _, f := range p.sorted() {
		lock.Files = append(lock.Files, PolicyLockFile{f.Name, dist.Sum(f.Raw), int64(len(f.Raw))})
	}
	lock.Digest = lock.sum()
	return lock
}

// printable tells whether s is some UTF-8 that is shown as it is.
func printable(s string) bool {
	return s != "" && utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}

func orNothing(s string) string {
	if s == "" {
		return "nothing"
	}
	return s
}

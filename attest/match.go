package attest

import (
	"path"
	"slices"
	"strings"
)

// Match says which values a certificate extension may have. The zero Match
// matches nothing, so a field that was forgotten refuses.
type Match struct {
	kind   matchKind
	values string // joined by newlines, which no extension that matters contains
}

type matchKind int

const (
	matchNothing matchKind = iota
	matchExactly
	matchGlob
	matchAny
	matchAbsent
	matchAbsentOr
	matchAtOwnRef
	matchWorkflow
)

// Exactly matches a value that equals one of the values, byte by byte. Empty
// values match nothing.
func Exactly(values ...string) Match {
	return Match{matchExactly, joined(values)}
}

// Glob matches a value by shell pattern, in which * does not cross a slash.
func Glob(patterns ...string) Match {
	return Match{matchGlob, joined(patterns)}
}

// Any matches every value, and absence. It is only right where the value is
// shown to whoever asked.
func Any() Match { return Match{kind: matchAny} }

// Absent matches only a certificate without the extension.
func Absent() Match { return Match{kind: matchAbsent} }

// AbsentOr matches a certificate without the extension, as older Fulcios
// issued it, or with one of the values.
func AbsentOr(values ...string) Match {
	return Match{matchAbsentOr, joined(values)}
}

// AtOwnRef matches uri@R where R is the certificate's own ref (.14) or its own
// commit (.13): the same file of the same source, whatever that source was.
func AtOwnRef(uri string) Match {
	return Match{matchAtOwnRef, uri}
}

// SameAsWorkflow matches the certificate's own build config URI (.18): the
// signer is the top-level workflow itself, not a reusable one.
func SameAsWorkflow() Match { return Match{kind: matchWorkflow} }

func joined(values []string) string {
	return strings.Join(slices.DeleteFunc(slices.Clone(values), func(v string) bool { return v == "" }), "\n")
}

func (m Match) list() []string {
	if m.values == "" {
		return nil
	}
	return strings.Split(m.values, "\n")
}

// accepts judges one value of the certificate c.
func (m Match) accepts(got string, c certificate) bool {
	switch m.kind {
	case matchAny:
		return true
	case matchAbsent:
		return got == ""
	case matchAbsentOr:
		return got == "" || slices.Contains(m.list(), got)
	case matchWorkflow:
		return got != "" && got == c.Workflow
	case matchAtOwnRef:
		return got != "" && c.ownRef(m.values, got) != ""
	case matchExactly:
		return got != "" && slices.Contains(m.list(), got)
	case matchGlob:
		return got != "" && slices.ContainsFunc(m.list(), func(pattern string) bool {
			ok, err := path.Match(pattern, got)
			return ok && err == nil
		})
	}
	return false
}

// String is the match in words, as a refusal shows it.
func (m Match) String() string {
	switch m.kind {
	case matchAny:
		return "any"
	case matchAbsent:
		return "none"
	case matchAbsentOr:
		if m.values == "" {
			return "none"
		}
		return "none or " + strings.Join(m.list(), " or ")
	case matchWorkflow:
		return "the same as the workflow"
	case matchAtOwnRef:
		return m.values + ", at its own ref or commit"
	case matchExactly, matchGlob:
		if m.values != "" {
			return strings.Join(m.list(), " or ")
		}
	}
	return "nothing (the policy names no value)"
}

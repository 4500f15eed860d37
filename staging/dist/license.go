package dist

import (
	_ "embed"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// The ids of licences and, behind "with", of exceptions that packaging knows, in
// lower case; behind a tab stands "deprecated" where SPDX says so. What is not here
// is looked at and not refused: PyPI's list may be a newer one.
//
//go:embed spdx.txt
var licenses string

const spdxOf = "the SPDX license list 3.27.0"

// licensePart is what a word of a licence expression is.
type licensePart int

const (
	licenseID licensePart = iota
	licenseException
	licenseWith
	licenseJoin // AND, OR
	licenseOpen
	licenseClose
)

type licenseWord struct {
	part licensePart
	text string // in lower case
}

// maxLicense bounds an expression, in bytes. One that names each licence there is has
// about 15 kB.
const maxLicense = 64 << 10

// licenseWords are the words of an expression. What follows WITH is an exception.
func licenseWords(text string) (words []licenseWord) {
	text = text[:min(len(text), maxLicense)]
	parts := map[string]licensePart{"with": licenseWith, "and": licenseJoin, "or": licenseJoin, "(": licenseOpen, ")": licenseClose}
	last := licenseJoin
	for _, word := range strings.Fields(strings.NewReplacer("(", " ( ", ")", " ) ").Replace(strings.ToLower(text))) {
		part := parts[word]
		if part == licenseID && last == licenseWith {
			part = licenseException
		}
		words, last = append(words, licenseWord{part, word}), part
	}
	return words
}

// licenseFault reads an SPDX license expression as packaging.licenses does, whether
// its ids are known or not.
func licenseFault(text string) string {
	follows := map[licensePart][]licensePart{
		licenseID:        {licenseWith, licenseJoin, licenseClose},
		licenseWith:      {licenseException},
		licenseException: {licenseJoin, licenseClose},
		licenseJoin:      {licenseID, licenseOpen},
		licenseOpen:      {licenseID, licenseOpen},
		licenseClose:     {licenseJoin, licenseClose},
	}
	reference := regexp.MustCompile(`^licenseref-[a-z0-9.-]+$`)
	last, open := licenseJoin, 0
	for _, word := range licenseWords(text) {
		if !slices.Contains(follows[last], word.part) || isReference(word) && !reference.MatchString(word.text) {
			return text
		}
		switch last = word.part; word.part {
		case licenseOpen:
			open++
		case licenseClose:
			open--
		}
		if open < 0 {
			return text
		}
	}
	if len(text) > maxLicense {
		return fmt.Sprintf("%d bytes", len(text))
	}
	if open != 0 || !slices.Contains(follows[last], licenseJoin) {
		return text
	}
	return ""
}

// isReference tells a licence of the project's own, which no list has.
func isReference(word licenseWord) bool {
	return word.part == licenseID && strings.HasPrefix(word.text, "licenseref-")
}

func unknownLicense(text string) string {
	return anyLicense(text, func(_ string, known bool) string {
		if known {
			return ""
		}
		return "is not in " + spdxOf + "; PyPI refuses what it does not know"
	})
}

func deprecatedLicense(text string) string {
	return anyLicense(text, func(note string, _ bool) string {
		if note == "" {
			return ""
		}
		return "is deprecated by SPDX, and PyPI takes it"
	})
}

// anyLicense says of the first id of which there is something to say what it is.
func anyLicense(text string, say func(note string, known bool) string) string {
	for _, word := range licenseWords(text) {
		name := word.text
		switch {
		case word.part == licenseID && !isReference(word):
			name = strings.TrimSuffix(name, "+")
		case word.part == licenseException:
			name = "with " + name
		default:
			continue
		}
		if what := say(entryOf(licenses, name)); what != "" {
			return word.text + " " + what
		}
	}
	return ""
}

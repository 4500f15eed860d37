package command

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"strings"

	"github.com/distgate/distgate/workflows/template"
)

// guarded are what a change of the gate is a change of.
var guarded = []string{"/.github/", "/distgate.toml", "/allowed_signers", "/withdrawn.toml"}

// owners adds to CODEOWNERS who must look at a change of the gate. The last
// pattern that fits a file counts, so they stand at the end.
func (b *beginning) owners(repo checkout, owners []string) error {
	for _, at := range []string{".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS"} {
		was, err := repo.read(at)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		b.own(at, was, repo.owned(was, owners))
		return nil
	}
	b.own(".github/CODEOWNERS", nil, repo.owned(nil, owners))
	return nil
}

func (b *beginning) own(at string, was, text []byte) {
	b.change(at, was, text)
	lines := strings.Split(string(text), "\n")
	for i, line := range lines[:len(lines)-1] {
		what, ok := strings.CutPrefix(line, "# "+template.FillIn)
		if ok && strings.HasPrefix(lines[i+1], "# /") { // the mark may outlive what it is for
			b.FillIn = append(b.FillIn, fmt.Sprintf("%s:%d%s", at, i+1, what))
		}
	}
}

// owned is CODEOWNERS with a line for all that is guarded. Whose name nobody gave is
// a comment to fill in: GitHub takes people and teams, and no organization.
func (c checkout) owned(was []byte, owners []string) []byte {
	const mark = "# " + template.FillIn + ": people or teams in the place of "
	owner, _, _ := strings.Cut(c.name, "/")
	who, comment := strings.Join(owners, " "), ""
	if len(owners) == 0 {
		who, comment = "@"+owner+"/TEAM", "# "
	} else {
		was = regexp.MustCompile(`(?m)^`+mark+`.*\n(# /.*\n?)*`).ReplaceAll(was, nil)
	}
	var lines []string
	for _, what := range guarded {
		if !regexp.MustCompile(`(?m)^(` + comment + `)?` + regexp.QuoteMeta(what) + `\s`).Match(was) {
			lines = append(lines, comment+what+" "+who+"\n")
		}
	}
	if comment != "" && len(lines) > 0 {
		lines = append([]string{mark + who + `, and take out the "# "` + "\n"}, lines...)
	}
	text := bytes.Clone(was)
	if len(lines) > 0 && len(text) > 0 && !bytes.HasSuffix(text, []byte("\n")) {
		text = append(text, '\n')
	}
	return append(text, strings.Join(lines, "")...)
}

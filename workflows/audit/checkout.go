package audit

import (
	"io/fs"
	"path"
	"strings"
)

var persistedCredentials = Rule{
	ID:    "artipacked",
	Title: "checkout leaves no credential on disk",
	Why: "actions/checkout writes the job's token into .git/config unless it is told not to. Every later step can read it, and " +
		"an artifact of the whole folder publishes it.",
	Looks:  InWorkflow,
	Theirs: []string{"zizmor artipacked"},
	Fix:    "Write persist-credentials: false into the with of every actions/checkout.",
	judge: steps(everyFile, func(s *step) []Spot {
		if !fits(s.uses(), []string{"actions/checkout"}) {
			return nil
		}
		switch v, ok := s.with("persist-credentials"); {
		case !ok:
			return []Spot{s.spot("persist-credentials is not false; the default is true")}
		case value(v) != "false":
			return []Spot{s.spot("persist-credentials: " + value(v))}
		}
		return nil
	}),
}

// overlaid are the places where a job uses an action of its folder where a checkout
// has put other files than the repository's own at this commit: what runs is not
// what was read. An action by "$/path" is not of the folder.
func (j *job) overlaid() (spots []Spot) {
	var over []*step
	for _, s := range j.all() {
		local, ok := strings.CutPrefix(s.uses(), "./")
		for _, c := range over {
			if ok && c.covers(path.Clean(local)) {
				spots = append(spots, s.spot(s.uses()+", where a checkout has put other files"))
				break
			}
		}
		if fits(s.uses(), []string{"actions/checkout"}) {
			over = append(over, s)
		}
	}
	return spots
}

// covers tells whether a checkout can put other files into a folder than the
// repository has there: of another repository or commit, or at another place.
func (s *step) covers(folder string) bool {
	given := func(input, own string) bool {
		v, _ := s.with(input)
		got := strings.ReplaceAll(value(v), " ", "")
		return got != "" && got != own
	}
	v, _ := s.with("path")
	into := path.Clean(strings.ToLower(value(v)))
	if into == "." {
		return given("repository", "${{github.repository}}") || given("ref", "${{github.sha}}")
	}
	folder = strings.ToLower(folder)
	return folder == "." || !fs.ValidPath(into) || strings.Contains(into, "${{") ||
		strings.HasPrefix(folder+"/", into+"/") || strings.HasPrefix(into+"/", folder+"/")
}

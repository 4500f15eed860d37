package audit

import (
	"slices"
	"strings"

	"github.com/rhysd/actionlint"
)

// mark finds the release graph: the workflows that the release begins with, and
// everything that they call. Where nobody names them, they are those that
// attest, publish or may ask for an ID token, and what calls those.
func (f *Files) mark(begin []string) {
	for _, at := range begin {
		if first := f.byKey[at]; first != nil {
			first.inRelease()
		}
	}
	if len(begin) > 0 {
		return
	}
	for _, file := range f.all {
		if slices.ContainsFunc(file.jobs, func(j *job) bool { return j.attests() || j.publishes() || j.mayTakeToken() }) {
			file.inRelease()
		}
	}
	for changed := true; changed; {
		changed = false
		for _, file := range f.all {
			calls := func(j *job) bool { return j.calls != nil && j.calls.release }
			if !file.release && slices.ContainsFunc(file.jobs, calls) {
				file.inRelease()
				changed = true
			}
		}
	}
}

// inRelease marks a file and everything that it calls.
func (f *file) inRelease() {
	if f.release {
		return
	}
	f.release = true
	for _, j := range f.jobs {
		if j.calls != nil {
			j.calls.inRelease()
		}
		for _, s := range j.steps {
			if s.action != nil {
				s.action.inRelease()
			}
		}
	}
}

// all are the steps of a job, those of the composite actions that it uses
// among them, each action once.
func (j *job) all() []*step { return j.expand(map[*file]bool{}) }

func (j *job) expand(seen map[*file]bool) (steps []*step) {
	for _, s := range j.steps {
		steps = append(steps, s)
		if s.action == nil || seen[s.action] {
			continue
		}
		seen[s.action] = true
		for _, inner := range s.action.jobs {
			steps = append(steps, inner.expand(seen)...)
		}
	}
	return steps
}

// grants tells whether the job's token has a permission. What nobody writes is
// not seen here: it is the repository's setting.
func (j *job) grants(scope, level string) bool {
	if j.ast == nil {
		return false
	}
	p := j.ast.Permissions
	if p == nil && j.file.ast != nil {
		p = j.file.ast.Permissions
	}
	return allows(p, scope, level)
}

func allows(p *actionlint.Permissions, scope, level string) bool {
	if p == nil {
		return false
	}
	if p.All != nil {
		return p.All.Value == level+"-all"
	}
	s := p.Scopes[scope]
	return s != nil && value(s.Value) == level
}

// mayTakeToken tells whether the job may ask for an ID token.
func (j *job) mayTakeToken() bool { return j.grants("id-token", "write") }

// publishes tells whether the job uploads to a package index.
func (j *job) publishes() bool {
	return slices.ContainsFunc(j.all(), func(s *step) bool { return s.publishes() })
}

// attests tells whether the job signs what was built.
func (j *job) attests() bool {
	return slices.ContainsFunc(j.all(), func(s *step) bool {
		return fits(s.uses(), attesting) ||
			slices.ContainsFunc(s.commands(), func(c command) bool { return c.does(signing) })
	}) || fits(value(j.uses), attesting)
}

func (s *step) publishes() bool {
	return s.uploads() || s.isDistgate("publish") ||
		slices.ContainsFunc(s.commands(), func(c command) bool { return c.does(uploading) })
}

// checksOut tells whether the job has the repository's files.
func (j *job) checksOut() bool {
	return slices.ContainsFunc(j.all(), func(s *step) bool { return s.checksOut() })
}

func (s *step) checksOut() bool {
	return fits(s.uses(), []string{"actions/checkout"}) ||
		slices.ContainsFunc(s.commands(), func(c command) bool {
			return c.is([]string{"git clone", "git fetch", "gh repo clone"})
		})
}

// Actions by what they do, without a ref. A name with a slash at the end stands
// for everything below it.
var (
	attesting = []string{"actions/attest", "actions/attest-build-provenance", "actions/attest-sbom",
		"sigstore/gh-action-sigstore-python", "slsa-framework/slsa-github-generator/"}
	building = []string{"pypa/cibuildwheel", "PyO3/maturin-action", "hynek/build-and-inspect-python-package",
		"pypa/hatch", "docker/build-push-action", "python-poetry/install-poetry"}
)

// fits tells whether what is used is one of these, at whatever ref.
func fits(uses string, names []string) bool {
	name, _, _ := strings.Cut(uses, "@")
	return slices.ContainsFunc(names, func(n string) bool {
		if strings.HasSuffix(n, "/") {
			return len(name) >= len(n) && strings.EqualFold(name[:len(n)], n)
		}
		return strings.EqualFold(name, n)
	})
}

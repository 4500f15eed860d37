package pypitest

import (
	"fmt"
	"slices"
	"strings"
)

// Publisher is a GitHub Actions workflow that may publish a project without a
// person's token: a trusted publisher.
type Publisher struct {
	Repository  string // "owner/name", in the case that GitHub has it
	OwnerID     string // numeric id of the owner, in decimal
	Workflow    string // base name of the workflow file, like "release.yml"
	Environment string // "" admits every environment and none
}

// User is a person with an account.
type User struct {
	Name        string
	Unverified  bool // the primary e-mail address is not verified
	NoTwoFactor bool // there is no second factor
}

// Status is how alive a project is (PEP 792).
type Status string

// The statuses that PyPI has.
const (
	Active      Status = "active"
	Archived    Status = "archived"    // takes no uploads from publishers
	Quarantined Status = "quarantined" // nor offers files
)

// Flag is a switch of PyPI's administrators.
type Flag string

// Switches. All are off in a new index.
const (
	ReadOnly            Flag = "read-only"
	DisallowNewUpload   Flag = "disallow-new-upload"
	DisallowNewProjects Flag = "disallow-new-project-registration"
	DisallowOIDC        Flag = "disallow-oidc"
	DisallowGitHubOIDC  Flag = "disallow-github-oidc"
	DisableAttestations Flag = "disable-pep740"
)

// pendingPublisher creates its project when it is first used.
type pendingPublisher struct {
	project   string
	publisher Publisher
}

// AddProject registers a project, with the publishers that may upload to it. A
// publisher that several projects have gets one token for all of them.
func (x *Index) AddProject(name string, publishers ...Publisher) error {
	if !isProjectName(name) {
		return fmt.Errorf("pypitest: %q is not the name of a project", name)
	}
	for _, p := range publishers {
		if err := p.check(); err != nil {
			return err
		}
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.projects[normalizeName(name)] != nil {
		return fmt.Errorf("pypitest: there is a project %s already", name)
	}
	p := newProject(name)
	for _, publisher := range publishers {
		p.publishers = append(p.publishers, publisher.lower())
	}
	x.projects[p.normalized] = p
	x.changed(p)
	return nil
}

// AddPending registers a publisher for a project that does not exist yet.
func (x *Index) AddPending(project string, publisher Publisher) error {
	if err := publisher.check(); err != nil {
		return err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.pending = append(x.pending, pendingPublisher{project: project, publisher: publisher.lower()})
	return nil
}

// AddPublisher registers one more publisher of a project.
func (x *Index) AddPublisher(name string, publisher Publisher) error {
	if err := publisher.check(); err != nil {
		return err
	}
	return x.change(name, func(p *project) error {
		p.publishers = append(p.publishers, publisher.lower())
		return nil
	})
}

// RemovePublisher takes a publisher from a project. Tokens that were minted
// for it stay, and are no longer allowed to upload.
func (x *Index) RemovePublisher(name string, publisher Publisher) error {
	return x.change(name, func(p *project) error {
		same := func(q Publisher) bool { return q == publisher.lower() }
		p.publishers = slices.DeleteFunc(p.publishers, same)
		return nil
	})
}

// AddToken makes an API token of a person, who becomes an owner of the
// projects; it is good for those only. Without projects it is good for all
// that the person owns, and for creating new ones. Anybody may use it as the
// password of the user "__token__".
func (x *Index) AddToken(user User, projects ...string) (string, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	t := &token{user: user}
	for _, name := range projects {
		p := x.projects[normalizeName(name)]
		if p == nil {
			return "", fmt.Errorf("pypitest: there is no project %s", name)
		}
		p.owners[user.Name] = true
		t.projects = append(t.projects, p.normalized)
	}
	return x.keep(t), nil
}

// SetStatus archives, quarantines or revives a project.
func (x *Index) SetStatus(name string, status Status) error {
	return x.change(name, func(p *project) error {
		p.status = status
		return nil
	})
}

// Switch turns one of the administrators' switches on or off.
func (x *Index) Switch(flag Flag, on bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.flags[flag] = on
}

// Yank marks a whole release as one not to be chosen by installers, as its
// owners can on its page (PEP 592). The reason may be empty.
func (x *Index) Yank(project, version, reason string) error {
	return x.changeRelease(project, version, func(r *release) { r.yanked, r.yankedReason = true, reason })
}

// Unyank takes [Index.Yank] back.
func (x *Index) Unyank(project, version string) error {
	return x.changeRelease(project, version, func(r *release) { r.yanked, r.yankedReason = false, "" })
}

// DeleteFile deletes one file of a release. Its name can never be used again.
func (x *Index) DeleteFile(name, filename string) error {
	return x.change(name, func(p *project) error {
		for _, r := range p.releases {
			if i := slices.IndexFunc(r.files, func(f *file) bool { return f.name == filename }); i >= 0 {
				r.files = slices.Delete(r.files, i, i+1)
				return nil
			}
		}
		return fmt.Errorf("pypitest: %s has no file %s", name, filename)
	})
}

// check wants all that PyPI's form for a new publisher wants.
func (p Publisher) check() error {
	owner, name, _ := strings.Cut(p.Repository, "/")
	yaml := strings.HasSuffix(p.Workflow, ".yml") || strings.HasSuffix(p.Workflow, ".yaml")
	if owner == "" || name == "" || strings.Contains(name, "/") || p.OwnerID == "" ||
		!yaml || strings.Contains(p.Workflow, "/") {
		return fmt.Errorf("pypitest: want a repository, the id of its owner and the base name "+
			"of a workflow, got %+v", p)
	}
	return nil
}

// lower is the publisher as PyPI stores it.
func (p Publisher) lower() Publisher {
	p.Environment = strings.ToLower(p.Environment)
	return p
}

package workflows

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/distgate/distgate/staging/rule"
)

// Environment is a deployment environment, with what GitHub says protects it.
type Environment struct {
	Repository        string     `json:"repository"` // "owner/name"
	Name              string     `json:"name"`
	ID                int64      `json:"id"` // 0: there is none; GitHub would make one, without any rules
	Reviewers         []Reviewer `json:"reviewers"`
	PreventSelfReview bool       `json:"preventSelfReview"`
	AdminsBypass      *bool      `json:"adminsBypass"` // nil: GitHub does not say
	Admits            Admission  `json:"admits"`
	Refs              []string   `json:"refs"` // of [AdmitsRefs]: "refs/heads/main", "refs/tags/v*"
	Tags              []TagRules `json:"tags"` // asked for where tags are admitted
}

// Reviewer is who may let a job of the environment start.
type Reviewer struct {
	Kind string `json:"kind"` // "User" or "Team"
	ID   int64  `json:"id"`
	Name string `json:"name"` // login, or the team's short name
}

// Admission is which refs may have jobs in an environment.
type Admission string

// Admissions. An environment that nobody changed admits every ref.
const (
	AdmitsAll       Admission = "every branch and tag"
	AdmitsProtected Admission = "every protected branch"
	AdmitsRefs      Admission = "the refs that it names"
)

// environmentAnswer is an environment as the API has it. go-github's own type
// cannot tell a missing can_admins_bypass from a false one.
type environmentAnswer struct {
	ID           int64  `json:"id"`
	Name         string `json:"name"`
	AdminsBypass *bool  `json:"can_admins_bypass"`
	Rules        []struct {
		Type              string `json:"type"`
		PreventSelfReview bool   `json:"prevent_self_review"`
		Reviewers         []struct {
			Type     string `json:"type"`
			Reviewer struct {
				ID    int64  `json:"id"`
				Login string `json:"login"`
				Slug  string `json:"slug"`
			} `json:"reviewer"`
		} `json:"reviewers"`
	} `json:"protection_rules"`
	Branches *struct {
		Protected bool `json:"protected_branches"`
		Custom    bool `json:"custom_branch_policies"`
	} `json:"deployment_branch_policy"`
}

// Environment asks for an environment and for the refs that it admits. One that
// is not there comes back with the id 0, if GitHub shows that it is not: where
// the token may not see environments, nothing is known.
func (c *Client) Environment(ctx context.Context, repository, name string) (Environment, error) {
	e := Environment{Repository: repository, Name: name}
	q, err := e.question("")
	if err != nil {
		return Environment{}, err
	}
	said, err := get[environmentAnswer](ctx, c, q)
	if failed(err, http.StatusNotFound) {
		return e, c.absent(ctx, e, err)
	}
	if err != nil {
		return Environment{}, err
	}
	return c.described(ctx, e, said)
}

// described is the environment as an answer has it, with the refs that it admits.
func (c *Client) described(ctx context.Context, e Environment, said environmentAnswer) (Environment, error) {
	if said.ID <= 0 || !strings.EqualFold(said.Name, e.Name) {
		return Environment{}, fmt.Errorf("GitHub, %s: want environment %q and its id, got %q and %d",
			e.Repository, e.Name, clip(said.Name), said.ID)
	}
	e.ID, e.AdminsBypass = said.ID, said.AdminsBypass
	e.Reviewers, e.PreventSelfReview = said.reviewers()
	return c.admitted(ctx, e, said)
}

// question asks for something of the environment.
func (e Environment) question(rest string) (question, error) {
	at, err := pathOf(e.Repository)
	if err != nil {
		return question{}, err
	}
	if e.Name == "" || strings.Trim(e.Name, ".") == "" {
		return question{}, fmt.Errorf("want the name of an environment of %s, got %q", e.Repository, e.Name)
	}
	return question{path: at + "/environments/" + url.PathEscape(e.Name) + rest, needs: readActions, about: e.Repository}, nil
}

// absent is nil where the list of environments can be read and the environment
// is not in it. A 404 alone may stand for a permission that is missing.
func (c *Client) absent(ctx context.Context, e Environment, notFound error) error {
	at, err := pathOf(e.Repository)
	if err != nil {
		return err
	}
	q := question{path: at + "/environments", query: onePage(), needs: readActions, about: e.Repository}
	said, err := get[struct {
		Total        *int                `json:"total_count"`
		Environments []environmentAnswer `json:"environments"`
	}](ctx, c, q)
	if err != nil {
		return err
	}
	named := func(a environmentAnswer) bool { return strings.EqualFold(a.Name, e.Name) }
	if said.Total == nil || *said.Total != len(said.Environments) || slices.ContainsFunc(said.Environments, named) {
		return notFound
	}
	return nil
}

func onePage() url.Values { return url.Values{"per_page": {strconv.Itoa(perPage)}} }

// reviewers are those who may review, and whether who started a run may not.
func (a environmentAnswer) reviewers() (who []Reviewer, preventSelf bool) {
	who = []Reviewer{}
	for _, r := range a.Rules {
		if r.Type != "required_reviewers" {
			continue
		}
		for _, v := range r.Reviewers {
			who = append(who, Reviewer{Kind: v.Type, ID: v.Reviewer.ID, Name: v.Reviewer.Login + v.Reviewer.Slug})
		}
		preventSelf = r.PreventSelfReview
	}
	return who, preventSelf
}

// admitted asks which refs the environment admits.
func (c *Client) admitted(ctx context.Context, e Environment, said environmentAnswer) (Environment, error) {
	e.Refs = []string{}
	switch {
	case said.Branches == nil:
		e.Admits = AdmitsAll
		return e, nil
	case said.Branches.Protected:
		e.Admits = AdmitsProtected
		return e, nil
	}
	e.Admits = AdmitsRefs
	q, err := e.question("/deployment-branch-policies")
	if err != nil {
		return Environment{}, err
	}
	q.query = onePage()
	list, err := get[struct {
		Total    *int `json:"total_count"`
		Policies []struct {
			Name string `json:"name"`
			Type string `json:"type"`
		} `json:"branch_policies"`
	}](ctx, c, q)
	if err != nil {
		return Environment{}, err
	}
	if list.Total == nil || *list.Total != len(list.Policies) {
		return Environment{}, fmt.Errorf("GitHub, %s: want a list as long as its total_count, of %d at most, got %d",
			q.path, perPage, len(list.Policies))
	}
	for _, p := range list.Policies {
		kind, ok := map[string]string{"branch": "refs/heads/", "tag": "refs/tags/"}[p.Type]
		if !ok || p.Name == "" {
			return Environment{}, fmt.Errorf("GitHub, %s: want patterns for branches or tags, got %q for %q",
				q.path, clip(p.Name), clip(p.Type))
		}
		e.Refs = append(e.Refs, kind+p.Name)
	}
	if slices.ContainsFunc(e.Refs, isTag) {
		e.Tags, err = c.tagRules(ctx, e.Repository)
	}
	return e, err
}

func isTag(ref string) bool { return strings.HasPrefix(ref, "refs/tags/") }

// Gate is what the policy wants of the environment that publishes.
type Gate struct {
	Refs []string // that may publish, whole or with a * that does not cross a slash
	Solo bool     // one person builds and approves

	Rehearsal bool // nobody is asked, for an index that a release is tried on
}

// Check refuses an environment that would let a job start which nobody else
// looked at, or one of a branch that anybody can write. Where GitHub does not
// say enough, the error is no refusal.
func (e Environment) Check(g Gate) error {
	if e.ID <= 0 {
		return e.refuse(rule.EnvironmentMissing, "an environment with rules", "none of that name",
			"make it at "+e.settings()+", with required reviewers; GitHub makes an unknown one without any rules")
	}
	var no rule.Refusals
	for _, row := range e.rows(g) {
		if !row.holds {
			no = append(no, e.refuse(row.id, row.want, row.got, row.hint)...)
		}
	}
	if len(no) > 0 {
		return no
	}
	return e.unsaid()
}

// unsaid is an error where GitHub leaves out what the rules would need.
func (e Environment) unsaid() error {
	if e.AdminsBypass == nil {
		return fmt.Errorf("environment %s of %s: GitHub does not say whether administrators can bypass it "+
			"(want can_admins_bypass false, got nothing)", e.Name, e.Repository)
	}
	hidden := func(t TagRules) bool { return t.Bypass == nil }
	if slices.ContainsFunc(e.Refs, isTag) && slices.ContainsFunc(e.Tags, hidden) {
		return fmt.Errorf("environment %s of %s admits tags, and GitHub shows this token not who may make tags all the same; "+
			"admit branches alone, which takes no such permission", e.Name, e.Repository)
	}
	return nil
}

type environmentRow struct {
	id        rule.ID
	holds     bool
	want, got string
	hint      string
}

// rows are the rules of the environment: a new rule is a new row.
func (e Environment) rows(g Gate) []environmentRow {
	at := "an administrator of " + e.Repository + " at " + e.settings() + ": "
	rows := []environmentRow{
		{rule.EnvironmentReviewers, g.Rehearsal || len(e.Reviewers) > 0, "required reviewers", "none",
			at + `tick "Required reviewers" and name the people of the policy`},
		{rule.EnvironmentSelfReview, g.Solo || e.PreventSelfReview || len(e.Reviewers) == 0, "that nobody approves a run that they started",
			"it is allowed", at + `tick "Prevent self-review"`},
		{rule.EnvironmentBypass, e.AdminsBypass == nil || !*e.AdminsBypass, "that administrators wait as others do",
			"they can bypass the rules", at + `untick "Allow administrators to bypass configured protection rules"`},
		{rule.EnvironmentRefs, e.Admits == AdmitsRefs, "selected branches: " + strings.Join(g.Refs, ", "), string(e.Admits),
			at + `choose "Selected branches and tags" and add ` + shortRefs(g.Refs)},
	}
	for _, ref := range e.Refs {
		rows = append(rows, environmentRow{rule.EnvironmentRefs, named(ref, g.Refs),
			"only refs that the policy names: " + strings.Join(g.Refs, ", "), clip(ref),
			at + "remove " + clip(ref) + ", or name it in publish.refs"},
			environmentRow{rule.EnvironmentRefs, !isTag(ref) || e.closed(ref) || !named(ref, g.Refs),
				"a tag that only administrators can make", clip(ref) + ", which whoever can write can make of any commit",
				at + "remove " + clip(ref) + ", or make an active tag ruleset for it that restricts creations"})
	}
	return rows
}

// closed tells whether a ruleset leaves the making of such tags to
// administrators. One whose bypass list is hidden may: see unsaid.
func (e Environment) closed(tag string) bool {
	return slices.ContainsFunc(e.Tags, func(t TagRules) bool { return t.closes(tag) && t.administrators() })
}

// named tells whether the policy names everything that the ref stands for: the
// same pattern, or one ref that a pattern of the policy covers.
func named(ref string, names []string) bool {
	return slices.ContainsFunc(names, func(name string) bool {
		ok, err := path.Match(name, ref)
		return name == ref || ok && err == nil && !strings.ContainsAny(ref, `*?[]{}!\`)
	})
}

func shortRefs(refs []string) string {
	var short []string
	for _, ref := range refs {
		ref = strings.TrimPrefix(ref, "refs/heads/")
		short = append(short, strings.TrimPrefix(ref, "refs/tags/"))
	}
	return strings.Join(short, ", ")
}

// settings is the page where the environment is changed.
func (e Environment) settings() string {
	at := server + e.Repository + "/settings/environments"
	if e.ID > 0 {
		at += fmt.Sprintf("/%d/edit", e.ID)
	}
	return at
}

func (e Environment) refuse(id rule.ID, want, got, hint string) rule.Refusals {
	return rule.Refusals{{File: "environment " + e.Name, Rule: id, Want: want, Got: got, Hint: hint}}
}

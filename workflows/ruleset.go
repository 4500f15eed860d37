package workflows

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strconv"
)

// TagRules is one active ruleset for tags: whether it forbids to make them, and
// who is above it.
type TagRules struct {
	ID       int64    `json:"id"`
	Name     string   `json:"name"`
	Include  []string `json:"include"` // patterns, or "~ALL"
	Exclude  []string `json:"exclude"`
	Creation bool     `json:"creation"` // tags of those names cannot be made
	Bypass   []Bypass `json:"bypass"`   // nil: the token may not see them
}

// Bypass is who is above a ruleset.
type Bypass struct {
	ID   int64  `json:"actor_id"`
	Kind string `json:"actor_type"`
}

// ruleset is a ruleset as the API has it. Of its rules only the type is read:
// there are more types than go-github v62 knows, and it fails at the first that
// it does not.
type ruleset struct {
	ID          int64  `json:"id"`
	Name        string `json:"name"`
	Target      string `json:"target"`
	Enforcement string `json:"enforcement"`
	Conditions  struct {
		RefName struct {
			Include []string `json:"include"`
			Exclude []string `json:"exclude"`
		} `json:"ref_name"`
	} `json:"conditions"`
	Rules []struct {
		Type string `json:"type"`
	} `json:"rules"`
	Bypass []Bypass `json:"bypass_actors"`
}

// tagRules asks for the active rulesets for tags, of the repository and of its
// organization.
func (c *Client) tagRules(ctx context.Context, repository string) ([]TagRules, error) {
	at, err := pathOf(repository)
	if err != nil {
		return nil, err
	}
	q := question{path: at + "/rulesets", needs: "metadata: read", about: repository, query: url.Values{
		"targets": {"tag"}, "includes_parents": {"true"}, "per_page": {strconv.Itoa(perPage)}}}
	listed, err := get[[]ruleset](ctx, c, q)
	if err != nil {
		return nil, err
	}
	if len(listed) >= perPage {
		return nil, fmt.Errorf("GitHub, %s: want fewer than %d rulesets, got more", q.path, perPage)
	}
	rules := []TagRules{}
	for _, l := range listed {
		if l.Target != "tag" || l.Enforcement != "active" {
			continue
		}
		one := question{path: fmt.Sprintf("%s/%d", q.path, l.ID), needs: q.needs, about: repository}
		r, err := get[ruleset](ctx, c, one)
		if err != nil {
			return nil, err
		}
		if r.ID != l.ID || r.Target != "tag" || r.Enforcement != "active" {
			return nil, fmt.Errorf("GitHub, %s: want the active ruleset for tags of the list, got another", one.path)
		}
		rules = append(rules, r.tagRules())
	}
	return rules, nil
}

func (r ruleset) tagRules() TagRules {
	t := TagRules{ID: r.ID, Name: r.Name, Include: r.Conditions.RefName.Include, Exclude: r.Conditions.RefName.Exclude,
		Bypass: r.Bypass}
	for _, rule := range r.Rules {
		t.Creation = t.Creation || rule.Type == "creation"
	}
	return t
}

// closes tells whether nobody can make a tag that the pattern stands for, but
// for those above the ruleset. Patterns are compared as they are written: one
// that would cover another is not worked out.
func (t TagRules) closes(pattern string) bool {
	all := func(include string) bool {
		return include == "~ALL" || include == "refs/tags/**" || include == "refs/tags/**/*" || include == pattern
	}
	return t.Creation && len(t.Exclude) == 0 && slices.ContainsFunc(t.Include, all)
}

// adminRole is GitHub's number of the role of a repository's administrators.
const adminRole = 5

// administrators tells whether they alone are above the ruleset.
func (t TagRules) administrators() bool {
	return !slices.ContainsFunc(t.Bypass, func(b Bypass) bool {
		return b.Kind != "OrganizationAdmin" && (b.Kind != "RepositoryRole" || b.ID != adminRole)
	})
}

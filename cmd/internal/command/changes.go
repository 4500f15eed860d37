package command

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"github.com/distgate/distgate/approval"
	"github.com/distgate/distgate/staging"
	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

// comparePolicies compares distgate.toml key by key, lists of signers line by
// line, and whatever else the policy names by its digest.
func comparePolicies(name string, was, now []staging.PolicyFile) (list []approval.Difference, err error) {
	var tables [2]map[string]string
	for i, files := range [][]staging.PolicyFile{was, now} {
		tables[i] = map[string]string{}
		for _, f := range files {
			switch {
			case f.Name == name:
				err = flatPolicy(tables[i], f.Raw)
			case strings.HasSuffix(f.Name, ".json") || json.Valid(f.Raw):
				tables[i][f.Name] = dist.Sum(f.Raw).String() // a trusted root is nothing to read
			default:
				for line := range strings.Lines(string(f.Raw)) {
					if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
						tables[i][f.Name+": "+line] = line
					}
				}
			}
			if err != nil {
				return nil, fmt.Errorf("%s: %w", f.Name, err)
			}
		}
	}
	keys := maps.Clone(tables[0])
	maps.Copy(keys, tables[1])
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		if d := (approval.Difference{Field: key, Was: tables[0][key], Now: tables[1][key]}); d.Was != d.Now {
			if file, line, ok := strings.Cut(key, ": "); ok && (line == d.Was || line == d.Now) {
				d.Field = file
			}
			list = append(list, d)
		}
	}
	return list, nil
}

// flatPolicy writes every value of distgate.toml under its key: approval.need.
func flatPolicy(into map[string]string, raw []byte) error {
	var written map[string]any
	if err := toml.Unmarshal(raw, &written); err != nil {
		return err
	}
	return flatten(into, "", written)
}

func flatten(into map[string]string, prefix string, table map[string]any) error {
	for key, value := range table {
		if inner, ok := value.(map[string]any); ok {
			if err := flatten(into, prefix+key+".", inner); err != nil {
				return err
			}
			continue
		}
		text, err := json.Marshal(value)
		if err != nil {
			return err
		}
		into[prefix+key] = string(text)
	}
	return nil
}

// changes shows what a person should look at first, and then everything, with
// what could not be compared.
func (p printer) changes(c approval.Changes) {
	p.line("\nwhat changed")
	if c.First {
		p.field("first", "the index has no release of this project")
	}
	for _, s := range c.Since {
		p.since(s)
	}
	if since := c.Policy.Since(); since != "" && len(c.Policy.Differences) == 0 {
		p.field("policy", "as for "+since+", which was published last")
	}
	for _, f := range c.Findings {
		p.finding(f)
	}
	for _, g := range c.Gaps {
		p.field("unknown", g.What+": "+g.Why)
	}
	p.line("")
}

// since says with what the release was compared, and how far that goes.
func (p printer) since(s approval.Since) {
	compared := plural(s.Wheels, "wheel")
	if s.Sdist {
		compared += " and the sdist"
	}
	compared += " with " + s.Version
	if s.Relation == approval.Candidate {
		compared += ", the last candidate"
	}
	if s.Uploaded != "" {
		compared += ", uploaded " + s.Uploaded
	}
	p.field("compared", compared)
}

// finding is one thing that a person should know: how grave, which rule, where.
func (p printer) finding(f rule.Finding) {
	text := f.What
	if f.Where != "" {
		text = f.Where + ": " + text
	}
	if f.File != "" {
		text = f.File + ": " + text
	}
	p.field(string(f.Severity), string(f.Rule)+": "+text)
}

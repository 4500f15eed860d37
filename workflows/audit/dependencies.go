package audit

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/distgate/distgate/workflows"
)

// updates is what keeps dependencies up to date: Dependabot's or Renovate's
// file. The zero value is that there is none.
type updates struct {
	path    string
	actions bool  // GitHub Actions are among what is kept
	hasty   []int // lines of the entries that take a new version at once; one that has no line is 0
	gap     string
}

// minCooldown is how many days a new version is left alone at least: most bad
// versions of 2026 were found within a week.
const minCooldown = 7

var dependencyRules = []Rule{
	{
		ID:    "dependencies-updated",
		Admin: true,
		Title: "pins are kept up to date, and known vulnerabilities are told",
		Why:   "A pin that nobody moves keeps the flaws of its day. Where a machine proposes the change, pins are no work.",
		Looks: InRepository,
		Fix:   "Add .github/dependabot.yml with package-ecosystem: github-actions, and switch on Dependabot alerts.",
		judge: func(f Facts) judgement {
			u := f.Files.updates
			j := judgement{applies: true}
			switch {
			case !f.Files.read:
				j.gaps = []Gap{{What: "the files were not read", Needs: "contents: read"}}
			case u.gap != "":
				j.gaps = []Gap{{File: u.path, What: u.gap}}
			case u.path == "":
				j.spots = []Spot{{Setting: "dependencies", Got: "neither Dependabot nor Renovate is set up"}}
			case !u.actions:
				j.spots = []Spot{{File: u.path, Got: "GitHub Actions are not among what is kept up to date"}}
			}
			return both(j, setting("Dependabot alerts", func(s workflows.Settings) workflows.Seen[bool] { return s.Alerts },
				func(_ Facts, on bool) []Spot { return found(!on, "they are off") })(f))
		},
	},
	{
		ID:     "dependabot-cooldown",
		Title:  "a new version is left alone for a week",
		Why:    "LiteLLM's bad version was up for two and a half hours (2026), and axios's for three. Who waits a week has neither.",
		Looks:  InRepository,
		Theirs: []string{"zizmor dependabot-cooldown"},
		Fix:    "Write cooldown: {default-days: 7} into each entry of .github/dependabot.yml, or minimumReleaseAge into Renovate's file.",
		judge: func(f Facts) judgement {
			u := f.Files.updates
			switch {
			case !f.Files.read:
				return judgement{gaps: []Gap{{What: "the files were not read", Needs: "contents: read"}}}
			case u.gap != "":
				return judgement{gaps: []Gap{{File: u.path, What: u.gap}}}
			case u.path == "":
				return judgement{}
			}
			j := judgement{applies: true}
			for _, line := range u.hasty {
				j.spots = append(j.spots, Spot{File: u.path, Line: line, Got: fmt.Sprintf("new versions are taken within %d days", minCooldown)})
			}
			return j
		},
	},
}

// readUpdates finds what keeps dependencies up to date.
func readUpdates(ctx context.Context, tree Tree) updates {
	for _, at := range []string{".github/dependabot.yml", ".github/dependabot.yaml"} {
		if raw, err := tree.Read(ctx, at); err == nil {
			return dependabot(at, raw)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return updates{path: at, gap: "it cannot be read: " + err.Error()}
		}
	}
	for _, at := range []string{"renovate.json", "renovate.json5", ".renovaterc", ".renovaterc.json", ".github/renovate.json", ".github/renovate.json5"} {
		raw, err := tree.Read(ctx, at)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return updates{path: at, gap: "it cannot be read: " + err.Error()}
		}
		u := updates{path: at, actions: true}
		if !strings.Contains(string(raw), "minimumReleaseAge") {
			u.hasty = []int{0}
		}
		return u
	}
	return updates{}
}

func dependabot(at string, raw []byte) updates {
	u := updates{path: at}
	if file := newFile(at, raw); !file.bounded(raw) {
		u.gap = file.gaps[0].What
		return u
	}
	var said struct {
		Updates []yaml.Node `yaml:"updates"`
	}
	err := yaml.Unmarshal(raw, &said)
	for _, node := range said.Updates {
		var entry struct {
			Ecosystem string `yaml:"package-ecosystem"`
			Cooldown  struct {
				Days int `yaml:"default-days"`
			} `yaml:"cooldown"`
		}
		err = errors.Join(err, node.Decode(&entry))
		u.actions = u.actions || entry.Ecosystem == "github-actions"
		if entry.Cooldown.Days < minCooldown {
			u.hasty = append(u.hasty, node.Line)
		}
	}
	if err == nil && len(said.Updates) == 0 {
		err = errors.New("it has no updates")
	}
	if err != nil {
		u.gap = "not understood: " + err.Error()
	}
	return u
}

package audit

import (
	"slices"
	"strings"

	"github.com/rhysd/actionlint"

	"github.com/distgate/distgate/workflows"
)

// Rules are all rules, in the order in which they are answered: what breaks the
// gate comes first.
func Rules() []Rule {
	return slices.Concat(
		[]Rule{attestBesideCode, publishDoesMore, trustedPublishing, publishEnvironment, idTokenElsewhere, pastTheGate},
		[]Rule{dangerousTriggers, templateInjection, insecureCommands},
		[]Rule{unpinnedUses, impostorCommit, unpinnedImages, nestedUses, actionsFetchNothing},
		[]Rule{excessivePermissions, persistedCredentials, secretsOutsideEnv, secretsInherit, overprovisionedSecrets},
		[]Rule{selfHostedRunner, releaseCaches, foreignArtifacts, mutableDownloads, mutableInputs},
		environmentRules, actionsRules, refRules, accessRules, dependencyRules,
		questions,
	)
}

// scope is which files a rule judges.
type scope bool

const (
	everyFile    scope = false
	releaseGraph scope = true
)

// seen are the files of a scope, with what was not seen of them.
func (f Facts) seen(in scope) (files []*file, gaps []Gap) {
	if !f.Files.read {
		return nil, []Gap{{What: "the workflows were not read", Needs: "contents: read"}}
	}
	gaps = slices.Clone(f.Files.gaps)
	if in == everyFile {
		gaps = append(gaps, f.Files.beside...)
	}
	for _, file := range f.Files.all {
		if in == everyFile || file.release {
			files, gaps = append(files, file), append(gaps, file.unread...)
		}
		if in == everyFile || file.release || !f.Files.named { // one that is not understood may be of the release
			gaps = append(gaps, file.gaps...)
		}
	}
	return files, gaps
}

// jobs judges each job of a scope; the steps of an action are one.
func jobs(in scope, look func(*job) ([]Spot, []Gap)) func(Facts) judgement {
	return func(f Facts) judgement {
		files, gaps := f.seen(in)
		j := judgement{gaps: gaps}
		for _, file := range files {
			for _, job := range file.jobs {
				spots, gaps := look(job)
				j.spots, j.gaps, j.applies = append(j.spots, spots...), append(j.gaps, gaps...), true
			}
		}
		return j
	}
}

// steps judges each step of a scope.
func steps(in scope, look func(*step) []Spot) func(Facts) judgement {
	return jobs(in, func(j *job) (spots []Spot, _ []Gap) {
		for _, s := range j.steps {
			spots = append(spots, look(s)...)
		}
		return spots, nil
	})
}

// jobsThat judges the jobs that have a part in the release, and applies only if
// there are some.
func jobsThat(have func(*job) bool, look func(*job) ([]Spot, []Gap)) func(Facts) judgement {
	return func(f Facts) judgement {
		all := jobs(releaseGraph, func(j *job) ([]Spot, []Gap) {
			if j.ast == nil || !have(j) {
				return nil, nil
			}
			return look(j)
		})(f)
		files, _ := f.seen(releaseGraph)
		all.applies = slices.ContainsFunc(files, func(file *file) bool {
			return slices.ContainsFunc(file.jobs, func(j *job) bool { return j.ast != nil && have(j) })
		})
		return all
	}
}

// setting judges one setting of GitHub's. What was not asked for, or may not be
// seen, is a gap.
func setting[T any](what string, of func(workflows.Settings) workflows.Seen[T], look func(Facts, T) []Spot) func(Facts) judgement {
	return func(f Facts) judgement {
		s := of(f.Settings)
		if !s.Known() {
			return judgement{gaps: []Gap{unseen(what, s.Gap, s.Needs)}}
		}
		spots := look(f, s.Value)
		for i := range spots {
			if spots[i].Setting == "" {
				spots[i].Setting = what
			}
		}
		return judgement{spots: spots, applies: true}
	}
}

// AskGitHub is what a gap needs where GitHub was not asked at all.
const AskGitHub = "an audit of the repository on GitHub"

func unseen(what, why, needs string) Gap {
	if why == "" {
		return Gap{What: what + ": GitHub was not asked", Needs: AskGitHub}
	}
	return Gap{What: what + ": " + why, Needs: needs}
}

// both is what two judgements say together.
func both(a, b judgement) judgement {
	return judgement{spots: append(a.spots, b.spots...), gaps: append(a.gaps, b.gaps...), asks: append(a.asks, b.asks...), applies: a.applies || b.applies}
}

// found is a spot of a setting if it is not as it must be.
func found(wrong bool, got string) []Spot {
	if !wrong {
		return nil
	}
	return []Spot{{Got: got}}
}

// gap is something of a job that could not be seen.
func (j *job) gap(at *actionlint.String, what string) Gap {
	return Gap{File: j.file.path, Line: lineOf(at), What: what}
}

// spot is the place of a step.
func (s *step) spot(got string) Spot { return s.job.spot(s.at(), got) }

// spotOf is the place of a command in the script of a step.
func (s *step) spotOf(c command) Spot {
	spot := s.spot(strings.Join(c.words, " "))
	spot.Line, spot.Column = c.line, 0
	return spot
}

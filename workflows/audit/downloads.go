package audit

import (
	"regexp"
	"slices"
	"strings"
)

var mutableDownloads = Rule{
	ID:    "mutable-downloads",
	Title: "the release downloads nothing that may be another thing tomorrow",
	Why: "\"The latest\" of a tool, a script piped into a shell, or a package without a version is chosen by its server when the " +
		"release is built. Nobody reviewed it, and nobody can build it again. LiteLLM (2026) lost its token to a scanner " +
		"that its build had fetched by tag.",
	Looks: InWorkflow,
	Fix: "Name a version, and check a digest: pip install NAME==VERSION (better --require-hashes -r FILE), or curl to a file " +
		"and sha256sum --check before it runs.",
	judge: steps(releaseGraph, (*step).downloads),
}

// downloads are the places where the step's script fetches something by a name that
// moves.
func (s *step) downloads() (spots []Spot) {
	for _, c := range s.commands() {
		if c.isMutable() {
			spots = append(spots, s.spotOf(c))
		}
	}
	if script := s.script(); script != nil && pipedToShell.MatchString(script.Value) {
		spots = append(spots, s.spot("a download that goes straight into a shell"))
	}
	return spots
}

var (
	pipedToShell = regexp.MustCompile(`(?:curl|wget|iwr|irm)\b[^|\n]*\|\s*(?:sudo\s+)?(?:ba|z|da)?sh\b`)
	movingURL    = regexp.MustCompile(`https?://\S*(?:/latest\b|/(?:main|master|HEAD|trunk)/|releases/latest)`)
)

// isMutable tells whether a command fetches something by a name that moves.
func (c command) isMutable() bool {
	switch {
	case c.is([]string{"curl", "wget", "iwr", "irm", "Invoke-WebRequest"}):
		return movingURL.MatchString(strings.Join(c.words, " "))
	case c.is([]string{"gh release download"}):
		return len(c.operands("gh", "release", "download")) == 0
	case c.is([]string{"pip install", "pip3 install", "pip download", "pip wheel", "uv pip install", "pipx install", "uv tool install"}):
		return slices.ContainsFunc(c.packages(), func(p string) bool { return !strings.ContainsAny(p, "=@") })
	}
	return false
}

// operands are the words behind those that name the command, without flags.
func (c command) operands(names ...string) (words []string) {
	for _, w := range c.words {
		if strings.HasPrefix(w, "-") {
			continue
		}
		if len(names) > 0 && w == names[0] {
			names = names[1:]
			continue
		}
		words = append(words, w)
	}
	return words
}

// packages are the names that a pip command fetches from an index. Files,
// folders and lists of requirements are none.
func (c command) packages() (names []string) {
	if slices.Contains(c.words, "--require-hashes") || slices.Contains(c.words, "--no-index") {
		return nil
	}
	i := slices.IndexFunc(c.words, func(w string) bool { return w == "install" || w == "download" || w == "wheel" })
	takes := []string{"-r", "--requirement", "-c", "--constraint", "-i", "--index-url", "--extra-index-url", "-t", "--target", "-d", "--dest",
		"-w", "--wheel-dir", "--prefix", "--root", "-f", "--find-links", "--platform", "--python-version", "--only-binary", "--no-binary", "-e", "--editable", "--python"}
	for skip, words := false, c.words[i+1:]; len(words) > 0; words = words[1:] {
		w := words[0]
		switch {
		case skip:
			skip = false
		case strings.HasPrefix(w, "-"):
			skip = slices.Contains(takes, w)
		case strings.HasPrefix(w, ".") || strings.HasPrefix(w, "$") || strings.Contains(w, "/") || strings.HasSuffix(w, ".whl"):
		case strings.ContainsAny(w, "<>2&") && strings.ContainsAny(w, "<>&") && !strings.ContainsAny(w, "="):
		default:
			names = append(names, w)
		}
	}
	return names
}

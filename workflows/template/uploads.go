package template

import (
	"regexp"
	"slices"
	"strings"
)

// Uploading are commands that upload to a package index, each the words that it
// begins with. Flags may stand between them. distgate's own is not among them.
func Uploading() []string {
	return []string{"twine upload", "uv publish", "poetry publish", "hatch publish", "flit publish", "pdm publish",
		"rye publish", "maturin publish", "maturin upload", "python setup.py upload", "python setup.py sdist upload"}
}

// uploader is an action that uploads to a package index.
type uploader struct {
	name  string   // OWNER/NAME[/PATH]
	input string   // it does only if this input is one of these; "" is always
	given []string // in lower case
}

var uploaders = []uploader{
	{name: "pypa/gh-action-pypi-publish"},
	{name: "PyO3/maturin-action", input: "command", given: []string{"publish", "upload"}},
	{name: "JRubics/poetry-publish"},
	{name: "etils-actions/pypi-auto-publish"},
	{name: "casperdcl/deploy-pypi"},
	{name: "ansys/actions/release-pypi-public"},
	{name: "ansys/actions/release-pypi-private"},
	{name: "ansys/actions/release-pypi-test"},
}

// Uploads tells whether an action, as a step has it behind uses, is known to upload
// to a package index with its inputs. distgate's own is not among them.
func Uploads(uses string, input func(name string) string) bool {
	name, _, _ := strings.Cut(uses, "@")
	if image, is := strings.CutPrefix(name, "docker://"); is { // as ghcr.io/pypa/gh-action-pypi-publish:release-v1
		name, _, _ = strings.Cut(strings.TrimPrefix(image, "ghcr.io/"), ":")
	}
	return slices.ContainsFunc(uploaders, func(u uploader) bool {
		return strings.EqualFold(u.name, name) &&
			(u.input == "" || slices.Contains(u.given, strings.ToLower(strings.TrimSpace(input(u.input)))))
	})
}

// uploadCommand is any of them in a script, with flags and their values between.
var uploadCommand = func() *regexp.Regexp {
	const between = `\s+(?:-\S+\s+(?:[^-\s]\S*\s+)?)*`
	var all []string
	for _, command := range Uploading() {
		command = strings.Replace(regexp.QuoteMeta(command), "python ", `python[0-9.]* `, 1)
		tool, rest, _ := strings.Cut(command, " ")
		all = append(all, tool+`(?:\.exe|[@=]\S+)?`+between+strings.ReplaceAll(rest, " ", between))
	}
	return regexp.MustCompile(`\b(?:` + strings.Join(all, "|") + `)\b`)
}()

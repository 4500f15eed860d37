package audit

import (
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/rhysd/actionlint"

	"github.com/distgate/distgate/workflows/template"
)

// command is one command of a script, as far as its text shows it. A shell may
// hide anything; what matters is that what people write is seen.
type command struct {
	line  int
	words []string // without what only says how to run it: sudo, "python -m", NAME=value
}

var (
	separator  = regexp.MustCompile(`&&|\|\||[;|\n]|\$\(|` + "`")
	assignment = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*=`)
	expressed  = regexp.MustCompile(`\$\{\{[^}]*\}\}`)
)

// commands are the commands of the script that the step runs.
func (s *step) commands() []command {
	script := s.script()
	if script == nil {
		return nil
	}
	line := lineOf(script)
	if s.job.file.isBlock(script) {
		line++
	}
	return commandsOf(script, line)
}

func commandsOf(script *actionlint.String, line int) (all []command) {
	source := strings.ReplaceAll(script.Value, "\\\n", " \v") // a line that goes on
	source = expressed.ReplaceAllString(source, "EXPRESSION")
	for len(source) > 0 {
		end, next := len(source), len(source)
		if m := separator.FindStringIndex(source); m != nil {
			end, next = m[0], m[1]
		}
		part := source[:end]
		if before, found := cutComment(part); found {
			part = before
			next = len(source)
			if newline := strings.IndexByte(source, '\n'); newline >= 0 { // the comment goes to the end of the line
				next = newline + 1
			}
		}
		if words := plainWords(part); len(words) > 0 {
			all = append(all, command{line: line, words: words})
		}
		line += strings.Count(source[:next], "\n") + strings.Count(source[:next], "\v")
		source = source[next:]
	}
	return all
}

// cutComment cuts a comment off. Behind an open quote there is none.
func cutComment(part string) (before string, found bool) {
	before, _, found = strings.Cut(" "+part, " #")
	open := strings.Count(before, `"`)%2 == 1 || strings.Count(before, "'")%2 == 1
	return before, found && !open
}

// carriers only run another command.
var carriers = [][]string{{"sudo"}, {"env"}, {"time"}, {"exec"}, {"nice"}, {"then"}, {"do"}, {"else"}, {"if"}, {"!"},
	{"uv", "run"}, {"pipx", "run"}, {"poetry", "run"}, {"hatch", "run"}, {"pdm", "run"}, {"uvx"}, {"uv", "tool", "run"}, {"py", "-m"},
	{"python", "-m"}, {"python3", "-m"}}

// plainWords are the words of a command, without what only carries it.
func plainWords(text string) []string {
	words := strings.Fields(text)
	for i := range words {
		words[i] = strings.Trim(words[i], `"'(){}`)
	}
	for again := true; again; {
		again = false
		for len(words) > 0 && (words[0] == "" || assignment.MatchString(words[0])) {
			words = words[1:]
		}
		for _, c := range carriers {
			if len(words) > len(c) && slices.Equal(words[:len(c)], c) {
				words, again = words[len(c):], true
				if len(words) > 0 {
					words[0], _, _ = strings.Cut(words[0], "==")
				}
				break
			}
		}
	}
	return words
}

// is tells whether the command is one of these, each some words that it begins
// with. Flags between the words do not matter.
func (c command) is(names []string) bool {
	var plain []string
	for _, w := range c.words {
		if !strings.HasPrefix(w, "-") {
			plain = append(plain, w)
		}
	}
	return slices.ContainsFunc(names, func(name string) bool {
		want := strings.Fields(name)
		return len(plain) >= len(want) && slices.Equal(plain[:len(want)], want)
	})
}

// does is as [command.is], of what must not be overlooked: also by a path, and where
// another command is told to run it. A flag may have a value behind it.
func (c command) does(names []string) bool {
	if c.is(names) {
		return true
	}
	if slices.Contains(telling, c.words[0]) {
		return false
	}
	for i, word := range c.words {
		name, behind := tool(word), c.words[i+1:min(len(c.words), i+maxFlags)]
		if slices.ContainsFunc(names, func(whole string) bool {
			first, rest, _ := strings.Cut(whole, " ")
			return name == first && goesOn(behind, strings.Fields(rest))
		}) {
			return true
		}
	}
	return false
}

// maxFlags is how many words are looked at behind a name, flags and values among them.
const maxFlags = 100

// telling are commands to which the names of others are only text.
var telling = []string{"echo", "printf", "grep", "git", "gh", "cat", "ls", "cd", "sed", "awk", "test", "[", "[["}

// goesOn tells whether the words begin with others, with flags and their values between.
func goesOn(words, with []string) bool {
	flag := false
	for _, word := range words {
		switch {
		case len(with) == 0:
			return true
		case word == with[0]:
			with = with[1:]
		case !flag && !strings.HasPrefix(word, "-"):
			return false
		}
		flag = strings.HasPrefix(word, "-")
	}
	return len(with) == 0
}

var (
	pythonName  = regexp.MustCompile(`^python[0-9.]*$`)
	toolVersion = regexp.MustCompile(`(@|==).*$`)
)

// tool is the name of the command that a word runs: without its path and version, and
// what stands in "python -mNAME" for it.
func tool(word string) string {
	name := strings.TrimSuffix(path.Base(strings.ReplaceAll(word, `\`, "/")), ".exe")
	name = toolVersion.ReplaceAllString(strings.TrimPrefix(name, "-m"), "")
	return pythonName.ReplaceAllString(name, "python")
}

const distgatePublish = "distgate publish"

// Commands by what they do.
var (
	uploading  = append(template.Uploading(), distgatePublish)
	signing    = []string{"cosign sign-blob", "cosign attest", "cosign attest-blob", "cosign sign", "sigstore sign", "sigstore attest", "pypi-attestations sign"}
	installing = []string{"pip install", "pip3 install", "pip wheel", "pip download", "uv sync", "uv pip install", "uv tool install", "uv add",
		"pipx install", "poetry install", "pdm install", "conda install", "mamba install", "micromamba install",
		"apt install", "apt-get install", "apk add", "yum install", "dnf install", "brew install", "choco install",
		"npm install", "npm ci", "npm i", "yarn install", "pnpm install", "gem install", "cargo install", "go install", "go run"}
	executing = []string{"build", "cibuildwheel", "make", "cmake", "ninja", "meson", "tox", "nox", "pytest", "setup.py",
		"uv build", "hatch build", "poetry build", "pdm build", "flit build", "maturin build", "maturin sdist", "maturin develop",
		"cargo build", "cargo test", "cargo run", "go build", "go test", "go generate", "docker build", "docker run", "npm run", "npm test",
		"gradle", "mvn", "just", "invoke", "bash", "sh", "source", ".", "eval"}
	harmless = []string{"echo", "printf", "ls", "cat", "mkdir", "cp", "mv", "rm", "rmdir", "test", "[", "[[", "set", "export", "cd", "exit",
		"true", "false", "fi", "done", "for", "while", "case", "esac", "pwd", "chmod", "touch", "sha256sum", "shasum", "sort", "uniq", "wc",
		"head", "tail", "grep", "sed", "awk", "tr", "cut", "find", "xargs", "jq", "tee", "diff", "cmp", "stat", "du", "sleep", "date",
		"git", "gh", "distgate", "twine", "cosign", "uv publish", "tar", "zip", "unzip"}
)

// isFile tells whether the command is a file of the workspace, or an
// interpreter with one.
func (c command) isFile() bool {
	word := c.words[0]
	if strings.HasPrefix(word, "./") || strings.HasPrefix(word, "../") {
		return true
	}
	interpreter := []string{"python", "python3", "node", "perl", "ruby", "pwsh", "php"}
	return slices.Contains(interpreter, word) && slices.ContainsFunc(c.words[1:], func(w string) bool {
		return !strings.HasPrefix(w, "-") && strings.ContainsAny(w, "./")
	})
}

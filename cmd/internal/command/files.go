package command

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/distgate/distgate/staging"
	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

// filesTable is [files], or one [series."2.4"]: which files a release has.
type filesTable struct {
	Sdist    *bool    `toml:"sdist"`
	Python   []string `toml:"python"`
	Platform []string `toml:"platform"`
	Except   []string `toml:"except"`
	Also     []string `toml:"also"`
}

func (t filesTable) set() staging.FileSet {
	return staging.FileSet{Sdist: t.Sdist != nil && *t.Sdist,
		Python: t.Python, Platform: t.Platform, Except: t.Except, Also: t.Also}
}

// expectedFiles is what [files] says, or what the [series] tables say: one of the
// two is there, and each table says whether there is an sdist.
func (p *policy) expectedFiles() (staging.Expected, error) {
	sets := map[string]staging.FileSet{}
	for name, table := range p.table.Series {
		if table.Sdist == nil {
			return staging.Expected{}, p.refuse(fmt.Sprintf("series.%q.sdist", name), "true or false", "")
		}
		sets[name] = table.set()
	}
	var expected staging.Expected
	var err error
	switch none := reflect.ValueOf(p.table.Files).IsZero(); {
	case len(sets) > 0 && !none:
		return staging.Expected{}, p.refuse("files", "[files] for every version, or [series] tables, not both", "both")
	case len(sets) > 0:
		expected, err = staging.ExpectSeries(sets)
	case p.table.Files.Sdist == nil:
		return staging.Expected{}, p.refuse("files.sdist", "true or false", "")
	default:
		expected, err = staging.Expect(p.table.Files.set())
	}
	var no rule.Refusals
	if errors.As(err, &no) {
		for i := range no {
			no[i].File = p.file + " " + no[i].File
		}
		return staging.Expected{}, no
	}
	return expected, err
}

// describeFiles is the [files] table for exactly these files, as TOML. What is
// returned was read again, and says what was to be said.
func describeFiles(files []dist.Filename) (staging.FileSet, []byte, error) {
	set, err := staging.Describe(files)
	if err != nil {
		return set, nil, err
	}
	text := filesText(set)
	var again policyFile
	if err := decodePolicy("[files]", text, &again); err != nil {
		return set, nil, err
	}
	if !reflect.DeepEqual(again.Files.set(), set) {
		return set, nil, fmt.Errorf("the table does not say what it was written for:\n%s", text)
	}
	return set, text, nil
}

// filesText is a set as people write it.
func filesText(set staging.FileSet) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "[files]  # %s\nsdist = %t\n", sum(set), set.Sdist)
	for _, list := range []struct {
		key   string
		words []string
	}{{"python", set.Python}, {"platform", set.Platform}, {"except", set.Except}, {"also", set.Also}} {
		if len(list.words) > 0 {
			b.WriteString(arrayText(list.key, list.words))
		}
	}
	return b.Bytes()
}

// sum is how many files a set has, and how they come about.
func sum(set staging.FileSet) string {
	wheels := len(set.Python)*len(set.Platform) - len(set.Except) + len(set.Also)
	text := plural(wheels, "wheel")
	if len(set.Python) > 0 {
		product := fmt.Sprintf("%d × %d", len(set.Python), len(set.Platform))
		if len(set.Except) > 0 {
			product += fmt.Sprintf(" − %d", len(set.Except))
		}
		if len(set.Also) > 0 {
			product += fmt.Sprintf(" + %d", len(set.Also))
		}
		text = product + " = " + text
	}
	switch {
	case wheels == 0:
		return "the sdist alone"
	case set.Sdist:
		return text + ", and the sdist"
	}
	return text + ", no sdist"
}

// arrayText is an array of words on one line, or else on as many as it fills.
func arrayText(key string, words []string) string {
	const width = 88
	line := fmt.Sprintf("%s = [\"%s\"]\n", key, strings.Join(words, `", "`))
	if len(line) <= width {
		return line
	}
	text, line := key+" = [\n", "   "
	for _, word := range words {
		if next := fmt.Sprintf(" %q,", word); len(line)+len(next) > width {
			text, line = text+line+"\n", "   "+next
		} else {
			line += next
		}
	}
	return text + line + "\n]\n"
}

package publish

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

// widget is a release whose files' digests are those of their names.
func widget(t testing.TB, version string, names ...string) release {
	t.Helper()
	v, err := dist.ParseVersion(version)
	if err != nil {
		t.Fatal(err)
	}
	r := release{project: "widget", version: v}
	for _, name := range names {
		r.files = append(r.files, file{name: name, digest: dist.Sum([]byte(name)), size: 7,
			python: ">=3.9,<4", metadata: dist.Sum([]byte("metadata"))})
	}
	return r
}

// parse reads a page from nowhere.
func (r release) parse(in io.Reader) (page, error) {
	return readPage(r.project, &url.URL{Scheme: "https", Host: "pypi.org", Path: "/simple/widget/"},
		&bounded{r: in, page: maxPage, value: maxAround}, r.keep)
}

// An installer's reading of a name counts, be it ours or not.
func TestWhichNamesAreOfARelease(t *testing.T) {
	for version, names := range map[string]struct{ of, not []string }{
		"1.0": {
			of: []string{"widget-1.0.tar.gz", "Widget-1.0.0.zip", "widget-1.0.TAR.GZ", "widget-1.0.tgz", "widget-1.0",
				"widget-1.0-py3-none-any.whl", "widget-1.0-1-py3-none-any.whl", "widget-1.0-1-2-py3-none-any.whl",
				"widget-1.0-py3-none-any-x-y-z.whl", "widget-1.0-py2.7.egg", "widget-1.0.win-amd64.exe",
				"widget-v1.0.zip", "widget-1.0.tar.gz "},
			not: []string{"widget-1.0.1.tar.gz", "widget-1.0rc1.zip", "widget-11.0.zip",
				"gadget-1.0.tar.gz", "wid-get-1.0.tar.gz", "widget.tar.gz", "readme.txt", ""},
		},
		"1.0rc1": {
			of: []string{"widget-1.0-rc1.tar.gz", "widget-1.0-rc1.zip", "widget-1.0.rc1.tar.gz", "widget-1.0_rc1-py3-none-any.whl",
				"widget-1.0-c1.tar.bz2", "widget-1.0rc1-py2.7.egg"},
			not: []string{"widget-1.0.tar.gz", "widget-1.0-rc2.zip"},
		},
		"1.0.post1": {
			of: []string{"widget-1.0-1.tar.gz", "widget-1.0-1.zip", "widget-1.0-post1.tar.gz", "widget-1.0-r1.zip",
				"widget-1.0_1-py3-none-any.whl", "widget-1.0_post1-py3-none-any.whl", "widget-1.0.post1-py3-none-any.WHL"},
			not: []string{"widget-1.0.tar.gz", "widget-1.0-1-py3-none-any.whl", "widget-1.0-2.tar.gz"},
		},
	} {
		r := widget(t, version)
		for _, name := range names.of {
			if !r.holds(name) {
				t.Errorf("%s: %q is not of it", version, name)
			}
		}
		for _, name := range names.not {
			if r.holds(name) {
				t.Errorf("%s: %q is of it", version, name)
			}
		}
	}
	if k := (release{project: "kit", version: widget(t, "1.0").version}); !k.holds("\u212Ait-1.0.zip") {
		t.Error("pip takes the Kelvin sign for a k")
	}
}

// Every key that is read counts as it is written, and once.
func TestPagesThatCanBeReadInTwoWays(t *testing.T) {
	const name = "widget-1.0.tar.gz"
	digest := dist.Sum([]byte(name)).Hex()
	entry := func(more string) string {
		return `{"filename":"` + name + `","url":"../` + name + `","hashes":{"sha256":"` + digest + `"}` + more + `}`
	}
	around := func(inside string) string {
		return `{"meta":{"api-version":"1.4"},"name":"widget",` + inside + `}`
	}
	for _, test := range []struct {
		name, page string
		files      int // that are of the release, or -1: the page is none
	}{
		{"one file", around(`"files":[` + entry("") + `]`), 1},
		{"keys that nobody reads, twice", around(`"x":1,"x":[{}],"files":[` + entry(`,"y":{},"y":2`) + `]`), 1},
		{"FILES beside files", around(`"files":[` + entry("") + `],"FILES":[]`), 1},
		{"FILES alone", around(`"FILES":[` + entry("") + `]`), -1},
		{"no files", around(`"versions":[]`), -1},
		{"files that are null", around(`"files":null`), -1},
		{"files twice", around(`"files":[` + entry("") + `],"files":[]`), -1},
		{"files twice, once with an escape", around(`"files":[` + entry("") + `],"\u0066iles":[]`), -1},
		{"a name twice", around(`"name":"widget","files":[]`), -1},
		{"a version twice", `{"meta":{"api-version":"2.0","api-version":"1.4"},"name":"widget","files":[]}`, -1},
		{"a status twice", around(`"project-status":{"status":"active","status":"quarantined"},"files":[]`), -1},
		{"a file name twice", around(`"files":[` + entry(`,"filename":"readme.txt"`) + `]`), -1},
		{"a file name in capitals too", around(`"files":[` + entry(`,"Filename":"readme.txt"`) + `]`), 1},
		{"a URL twice", around(`"files":[` + entry(`,"url":"../`+name+`"`) + `]`), -1},
		{"a digest twice", around(`"files":[` + strings.Replace(entry(""), `{"sha256"`, `{"sha256":"00","sha256"`, 1) + `]`), -1},
		{"a digest in capitals alone", around(`"files":[` + strings.Replace(entry(""), `{"sha256"`, `{"SHA256"`, 1) + `]`), -1},
		{"a digest of metadata twice", around(`"files":[` + entry(`,"core-metadata":{"sha256":"00","sha256":"00"}`) + `]`), -1},
		{"metadata that are a text", around(`"files":[` + entry(`,"core-metadata":"yes"`) + `]`), -1},
		{"another file at the URL", around(`"files":[` + strings.Replace(entry(""), "../"+name, "../widget-2.0.tar.gz", 1) + `]`), -1},
		{"another name for the URL", around(`"files":[` + strings.Replace(entry(""), `:"`+name, `:"readme.txt`, 1) + `]`), -1},
		{"another digest at the URL", around(`"files":[` + strings.Replace(entry(""), "../"+name, "../"+name+"#sha256="+digest, 1) + `]`), -1},
		{"a URL that is none", around(`"files":[` + strings.Replace(entry(""), "../", "http://[/", 1) + `]`), -1},
		{"a file that is a list", around(`"files":[[]]`), -1},
		{"something after it", around(`"files":[]`) + `{}`, -1},
		{"nothing but its beginning", around(`"files":[` + entry(""))[:90], -1},
	} {
		t.Run(test.name, func(t *testing.T) {
			p, err := widget(t, "1.0", name).parse(strings.NewReader(test.page))
			if (err != nil) != (test.files < 0) || err == nil && len(p.files) != test.files {
				t.Errorf("got %+v, %v", p, err)
			}
		})
	}
}

// endless is a page whose middle does not end.
func endless(before, again string) io.Reader {
	return io.MultiReader(strings.NewReader(before), &repeated{text: again})
}

type repeated struct {
	text string
	at   int
}

func (r *repeated) Read(p []byte) (n int, err error) {
	for n < len(p) {
		copied := copy(p[n:], r.text[r.at:])
		n, r.at = n+copied, (r.at+copied)%len(r.text)
	}
	return n, nil
}

// However an index fills a page, it does not fill our memory.
func TestAPageTakesLittleMemory(t *testing.T) {
	const before = `{"meta":{"api-version":"1.4"},"name":"widget","files":[`
	ours := fmt.Sprintf(`{"filename":"widget-1.0.zip","url":"widget-1.0.zip","hashes":{"sha256":"%x"}}`, dist.Sum(nil))
	for name, in := range map[string]io.Reader{
		"files that say nothing":      endless(before+`{}`, `,{}`),
		"files of other projects":     endless(before+`{}`, `,{"filename":"gadget-2.0.zip"}`),
		"files of the release":        endless(before+ours, `,`+ours),
		"a file that says much":       endless(before+`{"yanked":"`, `aaaaaaaaaaaaaaaa`),
		"a file with many keys":       endless(before+`{"a":1`, `,"a":1`),
		"a name without end":          endless(`{"name":"`, `aaaaaaaaaaaaaaaa`),
		"versions without end":        endless(`{"versions":[1`, `,1`),
		"nesting without end":         endless(before, `[`),
		"blanks":                      endless(before, `                `),
		"keys that nobody knows":      endless(`{"a":1`, `,"b":1`),
		"blanks after the last brace": endless(before+`]}`, `                `),
	} {
		t.Run(name, func(t *testing.T) {
			var start, end runtime.MemStats
			runtime.ReadMemStats(&start)
			p, err := widget(t, "1.0").parse(in)
			runtime.ReadMemStats(&end)
			if err == nil {
				t.Errorf("it is a page: %+v", p)
			}
			if took := int64(end.HeapSys-start.HeapSys) >> 20; took > 256 {
				t.Errorf("the heap grew by %d MiB", took)
			}
		})
	}
}

func TestALongPageIsRead(t *testing.T) {
	const before, one = `{"meta":{"api-version":"1.4"},"name":"widget","files":[{}`, `,{"filename":"gadget-2.0.zip"}`
	body := before + strings.Repeat(one, maxListed-1) + `],"versions":["` + strings.Repeat("a", 1<<20) + `"]}`
	if _, err := widget(t, "1.0").parse(strings.NewReader(body)); err != nil {
		t.Error(err)
	}
}

// What is done at once is told in order, and what is refused is not told.
func TestEventsComeInOrder(t *testing.T) {
	var got []string
	o := inOrder{report: func(e Event) { got = append(got, e.File) }, events: make([]*Event, 5)}
	for _, i := range []int{3, 1, 4} {
		o.put(i, Event{File: fmt.Sprint(i)})
	}
	if len(got) != 0 {
		t.Errorf("told before the first: %v", got)
	}
	o.put(0, Event{File: "0"})
	o.put(2, Event{})
	if diff := cmp.Diff([]string{"0", "1", "3", "4"}, got); diff != "" {
		t.Error(diff)
	}
}

// An index has one Requires-Python for a release.
func TestAReleaseIsForOnePython(t *testing.T) {
	for _, test := range []struct {
		wheel, sdist string
		holds        bool
	}{
		{">=3.9,<4", ">=3.9,<4", true},
		{">=3.9,<4", "< 4, >= 3.9", true},
		{"", "", true},
		{">=3.9", ">=3.10", false},
		{">=3.9", "", false},
		{"", ">=3.9", false},
	} {
		r := widget(t, "1.0", "widget-1.0-py3-none-any.whl", "widget-1.0.tar.gz")
		r.files[0].python, r.files[1].python = test.wheel, test.sdist
		var no rule.Refusals
		if errors.As(r.onePython(), &no); (len(no) == 0) != test.holds || !test.holds && no[0].Rule != rule.ReleasePython {
			t.Errorf("%q and %q: got %v", test.wheel, test.sdist, no)
		}
	}
}

// No secret is shown, however it is broken up.
func TestNothingThatRepeatsASecretIsShown(t *testing.T) {
	const token = "pypi-AgEIcHlwaS5vcmcCJDAwMDAwMDAwLTAwMDAtMDAwMC0wMDAwLTAwMDAwMDAwMDAwMA"
	for name, text := range map[string]string{
		"whole":               token,
		"in a sentence":       "the token " + token + " is none",
		"with a line break":   token[:20] + "\n" + token[20:],
		"with zero widths":    strings.Join(strings.Split(token, ""), "\u200b"),
		"with dots":           strings.Join(strings.Split(token, ""), "."),
		"in capitals":         strings.ToUpper(token),
		"from its middle on":  token[25:],
		"but for its last 30": token[:len(token)-30],
	} {
		if got := brief(text, "", token); got != "a text that repeats a token, not shown" {
			t.Errorf("%s: got %s", name, got)
		}
	}
	for _, text := range []string{"", "invalid-token: pypi- is how tokens begin", "Read-only mode"} {
		if got := brief(text, "", token); got != text {
			t.Errorf("got %q for %q", got, text)
		}
	}
}

package command

import (
	"bytes"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// answers are the ways in which an answer can be bad that is said to be good: status
// and type are those of the good one.
var answers = map[string]func(good []byte) []byte{
	"empty":                func([]byte) []byte { return []byte{} },
	"cut in half":          func(good []byte) []byte { return good[:len(good)/2] },
	"a web page":           func([]byte) []byte { return []byte("<!DOCTYPE html>\n<html><body>Sign in to continue</body></html>\n") },
	"JSON of another type": func([]byte) []byte { return []byte("[null, 1e999, {}]\n") },
	"an empty object":      func([]byte) []byte { return []byte("{}") },
	"nested":               func([]byte) []byte { return bytes.Repeat([]byte(`{"files":[`), 50_000) },
}

// TestWhatIsAnsweredMalformed plays each malformation for each request that publish
// makes, to the index, to GitHub and to Sigstore. Nothing is published that is not
// confirmed, no token is shown, and what is asked again when all is well ends as if
// nothing had been.
func TestWhatIsAnsweredMalformed(t *testing.T) {
	c := newCrash(t)
	c.release("1.0")
	kinds := map[string]bool{}
	var mu sync.Mutex
	c.world.Watch(func(r *http.Request, done bool) bool {
		mu.Lock()
		defer mu.Unlock()
		kinds[kindOf(r)] = true
		return true
	})
	c.undisturbedly()
	c.world.Watch(nil)
	want := c.state()
	for i, kind := range slices.Sorted(maps.Keys(kinds)) {
		c.release(fmt.Sprintf("1.%d", i+1))
		for _, how := range slices.Sorted(maps.Keys(answers)) {
			code, said := c.answered(kind, answers[how])
			switch {
			case code == exitDone: // the body is not read
				c.same(kind+" answered with "+how, want)
			case !strings.Contains(said, "could not decide: ") && !strings.Contains(said, "refused    "):
				t.Errorf("%s answered with %s: ended with %d, and why is not said:\n%s", kind, how, code, said)
			case len(said) > 16<<10:
				t.Errorf("%s answered with %s: %d bytes are said", kind, how, len(said))
			}
		}
		c.undisturbedly()
		c.same(kind, want)
	}
}

var changing = regexp.MustCompile(`packages/.*|widget-[0-9].*(whl|gz)|idtoken/.*|[0-9]+(\.[0-9]+)*`)

// masks are what GitHub is told to hide.
var masks = regexp.MustCompile(`(?m)^::add-mask::.*\n`)

// kindOf is a request without what differs from one release to another.
func kindOf(r *http.Request) string {
	return r.Method + " " + changing.ReplaceAllString(r.URL.Path, "N")
}

func (c *crash) undisturbedly() {
	c.t.Helper()
	c.run(exitDone, c.world.Env(c.world.PublishJob()), c.publish()...)
}

// answered publishes while all requests of a kind are answered so.
func (c *crash) answered(kind string, bad func(good []byte) []byte) (code int, said string) {
	c.world.Answer(func(r *http.Request, body []byte) []byte {
		if kindOf(r) != kind {
			return nil
		}
		return bad(bytes.Clone(body))
	})
	defer c.world.Answer(nil)
	var out, aside bytes.Buffer
	env := c.world.Env(c.world.PublishJob())
	s := Streams{In: strings.NewReader(""), Out: &out, Err: &aside, Now: time.Now, Env: func(name string) string {
		for _, line := range env {
			if value, ok := strings.CutPrefix(line, name+"="); ok {
				return value
			}
		}
		return ""
	}}
	code = Main(c.t.Context(), c.args("publish", c.version, "--patience", "100ms"), s)
	return code, out.String() + masks.ReplaceAllString(aside.String(), "")
}

package pypitest_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// leftOut says why a question of Warehouse's own tests is not asked here.
type leftOut string

const (
	size      leftOut = "it would take ten gigabytes; refusals has the same with a smaller limit"
	rendering leftOut = "descriptions are not rendered"
)

// vectors reads an expectation file of Warehouse's.
func vectors(t *testing.T, name string, into any) {
	t.Helper()
	dir := os.Getenv("DISTGATE_VECTORS")
	if dir == "" {
		t.Skip("DISTGATE_VECTORS is not set")
	}
	raw, err := os.ReadFile(filepath.Join(dir, "warehouse", name))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, into); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

// pattern turns an expectation, which is Python source, into what it matches:
// adjacent literals are one, a {placeholder} stands for anything, and so does
// the address of a help page.
func pattern(t *testing.T, source string) *regexp.Regexp {
	t.Helper()
	begins := strings.HasPrefix(source, "startswith ")
	source = strings.TrimPrefix(source, "startswith ")
	literal := regexp.MustCompile(`f?("(?:[^"\\]|\\.)*")`)
	if rest := strings.TrimSpace(literal.ReplaceAllString(source, "")); rest != "" {
		t.Fatalf("not a literal: %s", source)
	}
	var text strings.Builder
	for _, m := range literal.FindAllStringSubmatch(source, -1) {
		part, err := strconv.Unquote(m[1])
		if err != nil {
			t.Fatalf("%s: %v", m[1], err)
		}
		text.WriteString(part)
	}
	quoted := text.String()
	// Warehouse's example projects have other names than this one.
	quoted = strings.NewReplacer("'foobar'", "{name}", "/the/help/url/", "{url}").Replace(quoted)
	quoted = regexp.MustCompile(`\\\{.*?\\\}`).ReplaceAllString(regexp.QuoteMeta(quoted), `.+`)
	if begins {
		return regexp.MustCompile("^" + quoted)
	}
	return regexp.MustCompile("^" + quoted + "$")
}

// TestWarehouseUploadVectors holds what the index says against what Warehouse's
// own tests want to hear, for every one of them that has a message.
func TestWarehouseUploadVectors(t *testing.T) {
	var cases []struct {
		Test   string
		Status []string
	}
	vectors(t, "upload_expectations.json", &cases)
	out := map[string]leftOut{
		"test_upload_fails_with_too_large_project_size_default_limit": size,
		"test_upload_fails_with_too_large_project_size_custom_limit":  size,
	}
	asked := map[string][]refusal{}
	for _, r := range refusals() {
		asked[r.oracle] = append(asked[r.oracle], r)
	}
	seen := map[string]bool{}
	for _, c := range cases {
		seen[c.Test] = true
		if len(c.Status) == 0 || out[c.Test] != "" {
			continue
		}
		t.Run(c.Test, func(t *testing.T) {
			t.Parallel()
			if len(asked[c.Test]) == 0 {
				t.Fatal("no refusal asks this, and no rule leaves it out")
			}
			for _, r := range asked[c.Test] {
				got := r.run(t)
				said := fmt.Sprintf("%d %s", got.status, got.message)
				if want := pattern(t, c.Status[0]); !want.MatchString(said) {
					t.Errorf("%s: want %s\n got %s", r.name, want, said)
				}
			}
		})
	}
	for test := range out {
		if !seen[test] || len(asked[test]) > 0 {
			t.Errorf("left out for no reason: %s", test)
		}
	}
	for oracle := range asked {
		if oracle != "" && !seen[oracle] {
			t.Errorf("Warehouse has no test %s", oracle)
		}
	}
}

// TestWarehouseMintVectors does the same for the exchange of ID tokens.
func TestWarehouseMintVectors(t *testing.T) {
	var cases []struct {
		Test         string
		Status       []string
		Codes        []string
		Descriptions []string
	}
	vectors(t, "mint_token_expectations.json", &cases)
	asked := map[string]mintRefusal{}
	for _, r := range mintRefusals() {
		asked[r.oracle] = r
	}
	for _, c := range cases {
		if len(c.Codes) == 0 || len(c.Descriptions) == 0 {
			continue
		}
		t.Run(c.Test, func(t *testing.T) {
			t.Parallel()
			r, ok := asked[c.Test]
			if !ok {
				t.Fatal("no refusal asks this")
			}
			status, body, said := r.run(t)
			code, description, _ := strings.Cut(said, ": ")
			if strconv.Itoa(status) != c.Status[0] || code != c.Codes[0] ||
				!pattern(t, c.Descriptions[0]).MatchString(description) {
				t.Errorf("want %s %s %s, got %d %v", c.Status[0], c.Codes[0], c.Descriptions[0], status, body)
			}
		})
	}
	for oracle := range asked {
		known := slices.ContainsFunc(cases, func(c struct {
			Test         string
			Status       []string
			Codes        []string
			Descriptions []string
		}) bool {
			return c.Test == oracle
		})
		if oracle != "" && !known {
			t.Errorf("Warehouse has no test %s", oracle)
		}
	}
}

// TestErrorMessages looks for every message in Warehouse's upload code among
// what the refusals and the other actions are told.
func TestWarehouseMessageVectors(t *testing.T) {
	var file struct {
		Messages []struct{ Exc, Message string }
	}
	vectors(t, "upload_error_messages.json", &file)
	out := map[string]leftOut{
		"{message} See {projecthelp} for more information.": rendering,
	}
	status := map[string]int{"HTTPBadRequest": http.StatusBadRequest, "HTTPForbidden": http.StatusForbidden,
		"HTTPGone": http.StatusGone, "HTTPPermanentRedirect": http.StatusPermanentRedirect}
	var said []string
	for _, r := range refusals() {
		said = append(said, r.want)
	}
	for _, a := range otherActions() {
		said = append(said, a.want)
	}
	for _, m := range file.Messages {
		// What follows the text in the source was taken along with it.
		text, _, _ := strings.Cut(m.Message, `" +`)
		text, _, _ = strings.Cut(text, `".format(`)
		text = strings.ReplaceAll(text, `\\`, `\`)
		if text == "" || out[text] != "" {
			delete(out, text)
			continue
		}
		want := regexp.MustCompile(fmt.Sprintf(`^%d `, status[m.Exc]) +
			regexp.MustCompile(`\\\{.*?\\\}`).ReplaceAllString(regexp.QuoteMeta(text), `.+`))
		if !slices.ContainsFunc(said, want.MatchString) {
			t.Errorf("nobody is told: %d %s", status[m.Exc], text)
		}
	}
	for text := range out {
		t.Errorf("left out, and Warehouse does not say it: %s", text)
	}
}

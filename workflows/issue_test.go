package workflows_test

import (
	"strings"
	"testing"

	"github.com/distgate/distgate/workflows/githubtest"
)

func TestOneIssueIsKeptAndNoMore(t *testing.T) {
	f := newForge(t)
	const title = "The index and the releases do not agree"
	// Whoever opens one of that title has no power over ours.
	f.PutIssue(githubtest.Issue{Repository: repository, Title: title, Body: "all is well", Author: "mallory"})
	f.PutIssue(githubtest.Issue{Repository: repository, Title: title, Author: "github-actions[bot]", PullRequest: true})
	c := f.clientWith(githubtest.Access{Permissions: map[string]string{"issues": "write"}})
	keep := func(text string) string {
		t.Helper()
		url, err := c.KeepIssue(t.Context(), repository, title, text)
		f.check(err)
		return url
	}
	if url := keep(""); url != "" {
		t.Errorf("nothing was there to close, and got %s", url)
	}
	first := keep("a foreign file\n@alice ```\n<script>")
	keep("a foreign file\n@alice ```\n<script>")
	if again := keep("two foreign files"); again != first {
		t.Errorf("%s, and then %s", first, again)
	}
	keep("")
	second := keep("a third")
	if second == first || second == "" {
		t.Errorf("a closed issue was opened again, or none: %s", second)
	}
	var states []string
	for _, i := range f.Issues(repository) {
		states = append(states, i.Author+" "+i.State)
	}
	want := "mallory open, github-actions[bot] open, github-actions[bot] closed, github-actions[bot] open"
	if got := strings.Join(states, ", "); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if body := f.Issues(repository)[3].Body; body != "```text\na third\n```\n" {
		t.Errorf("got %q", body)
	}
}

func TestTextInAnIssueStaysInItsBlock(t *testing.T) {
	f := newForge(t)
	f.PutIssue(githubtest.Issue{Repository: repository, Title: "x", Author: "alice"})
	c := f.clientWith(githubtest.Access{Permissions: map[string]string{"issues": "write"}})
	_, err := c.KeepIssue(t.Context(), repository, "t", "```\n````\n# @team\n"+strings.Repeat("x", 70_000))
	f.check(err)
	body := f.Issues(repository)[1].Body
	if !strings.HasPrefix(body, "`````text\n") || !strings.HasSuffix(body, "\n`````\n") || strings.Count(body, "`````") != 2 || len(body) > 65_536 {
		t.Errorf("got %d bytes, from %q", len(body), body[:20])
	}
}

func TestWithoutThePermissionNoIssueIsKept(t *testing.T) {
	f := newForge(t)
	f.PutIssue(githubtest.Issue{Repository: repository, Title: "x", Author: "alice"})
	_, err := f.clientWith(githubtest.Access{Permissions: map[string]string{"issues": "read"}}).
		KeepIssue(t.Context(), repository, "t", "text")
	if err == nil || !strings.Contains(err.Error(), "issues: write") {
		t.Errorf("got %v", err)
	}
}

package approval_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/distgate/distgate/approval"
	"github.com/distgate/distgate/staging/rule"
)

var publisher = approval.Publisher{Kind: "GitHub", Repository: "acme/widget", Workflow: "release.yml", Environment: "pypi"}

// TestWhatAPersonLooksAt has one change in each row, and the finding it makes.
func TestWhatAPersonLooksAt(t *testing.T) {
	moved, renamed, cased := publisher, publisher, publisher
	moved.Repository, renamed.Environment, cased.Repository = "evil/widget", "", "Acme/Widget"
	member := func(m approval.MemberChange) approval.Since {
		return approval.Since{Members: []approval.MemberChange{m}}
	}
	for _, test := range []struct {
		name  string
		since approval.Since
		want  string
	}{
		{"nothing", approval.Since{}, ""},
		{"a new dependency", approval.Since{Metadata: []approval.Difference{{Field: "Requires-Dist", Now: "evil"}}},
			"look new-dependency: Requires-Dist: new: evil"},
		{"another bound", approval.Since{Metadata: []approval.Difference{{Field: "Requires-Dist", Was: "a>1", Now: "a>2"}}},
			"note changed-metadata: Requires-Dist: a>2, was a>1"},
		{"another Python", approval.Since{Metadata: []approval.Difference{{Field: "Requires-Python", Now: ">=3.9"}}},
			"note changed-metadata: Requires-Python: new: >=3.9"},
		{"a new script", approval.Since{EntryPoints: []approval.Difference{{Field: "gui_scripts", Now: "w = a:b"}}},
			"look new-script: gui_scripts: new: w = a:b"},
		{"a script that goes", approval.Since{EntryPoints: []approval.Difference{{Field: "console_scripts", Was: "w = a:b"}}},
			"note changed-entry-points: console_scripts: gone: w = a:b"},
		{"a plugin", approval.Since{EntryPoints: []approval.Difference{{Field: "pytest11", Now: "w = a"}}},
			"note changed-entry-points: pytest11: new: w = a"},
		{"start-up code", member(approval.MemberChange{Name: "w.pth", Kind: approval.Startup, Was: -1, Now: 7}),
			"look new-startup-code: w.pth: new, 7 bytes"},
		{"other start-up code", member(approval.MemberChange{Name: "w.pth", Kind: approval.Startup, Was: 3, Now: 7}),
			"look new-startup-code: w.pth: changed, 7 bytes, was 3"},
		{"no start-up code any more", member(approval.MemberChange{Name: "w.pth", Kind: approval.Startup, Was: 3, Now: -1}), ""},
		{"a library", member(approval.MemberChange{Name: "w.so", Kind: approval.Native, Was: -1, Now: 7}),
			"look new-native-library: w.so: new, 7 bytes"},
		{"another version of a library", member(approval.MemberChange{Name: "w-1.so", Kind: approval.Native, Was: -1, Now: 7, Like: "w-2.so"}),
			"note changed-native-library: w-1.so: new, 7 bytes, it seems in the place of w-2.so"},
		{"a library that changed", member(approval.MemberChange{Name: "w.so", Kind: approval.Native, Was: 5, Now: 7}), ""},
		{"a script in the wheel", member(approval.MemberChange{Name: "*.data/scripts/w", Kind: approval.Script, Was: -1, Now: 7}),
			"look new-script: *.data/scripts/w: new, 7 bytes"},
		{"a wheel more", approval.Since{Files: []approval.FileChange{{Name: "a.whl", Size: 7, WasSize: -1}}},
			"note changed-files: new: 0.9 has no counterpart"},
		{"a wheel less", approval.Since{Gone: []string{"b.whl"}},
			"note changed-files: gone: b.whl has no counterpart in this release"},
		{"a wheel that grew", approval.Since{Files: []approval.FileChange{{Name: "a.whl", Was: "b.whl", Size: 2 << 20, WasSize: 1 << 20}}},
			"note changed-size: 2097152 bytes, was 1048576"},
		{"a wheel that shrank", approval.Since{Files: []approval.FileChange{{Name: "a.whl", Was: "b.whl", Size: 1 << 20, WasSize: 2 << 20}}},
			"note changed-size: 1048576 bytes, was 2097152"},
		{"a small wheel that grew", approval.Since{Files: []approval.FileChange{{Name: "a.whl", Was: "b.whl", Size: 2 << 10, WasSize: 1 << 10}}}, ""},
		{"a size that nobody said", approval.Since{Files: []approval.FileChange{{Name: "a.whl", Was: "b.whl", Size: 2 << 20, WasSize: -1}}}, ""},
		{"members", approval.Since{Files: []approval.FileChange{{Was: "b", Added: 1, Removed: 2, Changed: 3}}},
			"note changed-members: in all wheels together 1 new, 2 gone and 3 changed"},
		{"members of the sdist", approval.Since{Files: []approval.FileChange{{Name: "w-1.tar.gz", Was: "b", Added: 1}},
			Members: []approval.MemberChange{{Name: "tests/a.xz", Kind: approval.Other, Was: -1, Now: 7, Sdist: true}}},
			"note changed-members: in the sdist 1 new, 0 gone and 0 changed (since 0.9); new: tests/a.xz"},
		{"a library in the sdist", approval.Since{Members: []approval.MemberChange{{Name: "w.so", Kind: approval.Native, Was: -1, Now: 7, Sdist: true}}},
			"look new-native-library: w.so: new, 7 bytes (since 0.9)"},
		{"the same publisher", approval.Since{Publishers: []approval.Publisher{publisher, cased}}, ""},
		{"another publisher", approval.Since{Publishers: []approval.Publisher{moved}}, "look changed-publisher: GitHub evil/widget,"},
		{"no environment before", approval.Since{Publishers: []approval.Publisher{renamed}}, "look changed-publisher: "},
		{"never any provenance", approval.Since{Provenance: approval.Attested{Files: 3}, Before: approval.Attested{Files: 3}}, ""},
		{"provenance since then", approval.Since{Provenance: approval.Attested{Files: 3, Attested: 3}, Before: approval.Attested{Files: 3}}, ""},
		{"provenance lost", approval.Since{Provenance: approval.Attested{Files: 3}, Before: approval.Attested{Files: 3, Attested: 3}},
			"look lost-provenance: 3 of the 3 files"},
		{"provenance of some files", approval.Since{Provenance: approval.Attested{Files: 3, Attested: 2}}, "look lost-provenance: 1 of the 3 files"},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.since.Version = "0.9"
			c := approval.Changes{Since: []approval.Since{test.since}, By: publisher}
			c.Judge()
			if (test.want == "") != (len(c.Findings) == 0) || len(c.Findings) > 1 || !strings.HasPrefix(line(c.Findings...), test.want) {
				t.Errorf("got %q, want %q", line(c.Findings...), test.want)
			}
		})
	}
}

// line is findings as a person reads them, without the file.
func line(findings ...rule.Finding) string {
	var lines []string
	for _, f := range findings {
		where := f.Where
		if where != "" {
			where += ": "
		}
		lines = append(lines, string(f.Severity)+" "+string(f.Rule)+": "+where+f.What)
	}
	return strings.Join(lines, "\n")
}

func TestWhatIsLooserInThePolicy(t *testing.T) {
	c := approval.Changes{Policy: approval.PolicyChange{Version: "0.9", Differences: []approval.Difference{
		{Field: "files.sdist", Was: "true", Now: "false"},
		{Field: "approval.need", Was: "2", Now: "1"},
		{Field: "allowed_signers", Now: "mallory@example.org"},
	}}}
	c.Judge()
	want := "look changed-policy: approval.need: 1, was 2 (since 0.9, published last)\n" +
		"look changed-policy: allowed_signers: new: mallory@example.org (since 0.9, published last)\n" +
		"note changed-file-set: files.sdist: false, was true (since 0.9, published last)"
	if diff := cmp.Diff(want, line(c.Findings...)); diff != "" {
		t.Error(diff)
	}
}

// What is told of several wheels says of how many, and names the one of one.
func TestInWhichWheels(t *testing.T) {
	for _, test := range []struct {
		files int
		file  string
		want  string
	}{
		{1, "a.whl", "look new-dependency: Requires-Dist: new: x (since 0.9)"},
		{2, "", "look new-dependency: Requires-Dist: new: x (since 0.9, in 2 of 3 wheels, a.whl first)"},
		{3, "", "look new-dependency: Requires-Dist: new: x (since 0.9, in every wheel)"},
	} {
		c := approval.Changes{Since: []approval.Since{{Version: "0.9", Wheels: 3,
			Metadata: []approval.Difference{{Field: "Requires-Dist", Now: "x", Files: test.files, In: "a.whl"}}}}}
		c.Judge()
		if got := line(c.Findings...); got != test.want || c.Findings[0].File != test.file {
			t.Errorf("%d wheels: %s (%s)", test.files, got, c.Findings[0].File)
		}
	}
}

// Programs get lists, be they empty.
func TestChangesHaveNoNull(t *testing.T) {
	c := approval.Changes{Since: []approval.Since{{}}}
	c.Judge()
	raw, err := json.Marshal(c)
	if err != nil || strings.Contains(string(raw), "null") {
		t.Errorf("%s, %v", raw, err)
	}
}

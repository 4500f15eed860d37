package publish_test

import (
	"maps"
	"testing"
)

// Which release was the last is known of a whole page with times, or not at all:
// an older one would have other people decide.
func TestTheLastCommitIsKnownOrAnError(t *testing.T) {
	change := func(files []map[string]any) []map[string]any { return append([]map[string]any{}, files...) }
	w := newWorld(t, listing(true, func(files []map[string]any) []map[string]any { return change(files) }))
	_, err := w.publish()
	w.must(err)
	witness := w.job(job()).Witness
	commit, err := witness.LastCommit(t.Context(), "widget")
	if w.must(err); commit.SHA != job().SHA {
		t.Errorf("got %+v, want %s", commit, job().SHA)
	}
	with := func(key string, value any) func([]map[string]any) []map[string]any {
		return func(files []map[string]any) []map[string]any {
			other := maps.Clone(files[0])
			other["filename"], other["url"], other[key] = "widget-2.0.tar.gz", "/packages/widget-2.0.tar.gz", value
			return append(files, other)
		}
	}
	for name, broken := range map[string]func([]map[string]any) []map[string]any{
		"no time":          with("upload-time", nil),
		"a page cut short": with("hashes", "none"),
	} {
		change = broken
		if commit, err := witness.LastCommit(t.Context(), "widget"); err == nil {
			t.Errorf("%s: got %+v", name, commit)
		}
	}
}

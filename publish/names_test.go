package publish_test

import (
	"context"
	"net/http"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/distgate/distgate/publish"
	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

func TestTheNamesOfARelease(t *testing.T) {
	w := newWorld(t, listing(true, func(files []map[string]any) []map[string]any {
		return append(files, foreign(wheelName), foreign("Widget-1.0.0.zip"), foreign("widget-1.0.1-py3-none-any.whl"),
			foreign("widget-1.0-cp312-cp312-win_amd64.whl"), foreign("readme.txt"))
	}))
	index, err := publish.NewIndex(w.address())
	w.must(err)
	for version, want := range map[string][]string{
		"1.0":   {"Widget-1.0.0.zip", "widget-1.0-cp312-cp312-win_amd64.whl", wheelName},
		"1.0.1": {"widget-1.0.1-py3-none-any.whl"},
		"2.0":   nil,
	} {
		v, err := dist.ParseVersion(version)
		w.must(err)
		got, err := publish.Names(context.Background(), index, "widget", v)
		w.must(err)
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s:\n%s", version, diff)
		}
	}
}

func TestNamesThatCannotBeHad(t *testing.T) {
	status := http.StatusOK
	w := newWorld(t, before(func(rw http.ResponseWriter, r *http.Request) bool {
		rw.WriteHeader(status)
		return r.URL.Path == "/simple/widget/"
	}))
	index, err := publish.NewIndex(w.address())
	w.must(err)
	v, err := dist.ParseVersion("1.0")
	w.must(err)
	_, err = publish.Names(context.Background(), index, "widget", v)
	refused(t, err, rule.IndexAnswer)
	status = http.StatusBadGateway
	if names, err := publish.Names(context.Background(), index, "widget", v); err == nil {
		t.Errorf("got %v", names)
	}
	status = http.StatusNotFound
	if names, err := publish.Names(context.Background(), index, "widget", v); err != nil || len(names) != 0 {
		t.Errorf("got %v, %v", names, err)
	}
}

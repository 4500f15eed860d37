package pypitest_test

import (
	"net/http"
	"testing"
)

func TestUploadIsServed(t *testing.T) {
	w := newWorld(t)
	w.accepted(wheel(w.alice, "widget", "1.0"))
	w.accepted(sdist(w.alice, "widget", "1.0"))
	_, page := w.get("/simple/widget/", "")
	t.Log(page)
	page2 := w.getJSON("/simple/widget/", "application/vnd.pypi.simple.v1+json")
	t.Log(page2)
	r := w.upload(wheel("pypi-x", "widget", "1.0"))
	if r.status != http.StatusForbidden {
		t.Error(r)
	}
	t.Log(r)
}

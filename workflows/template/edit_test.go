package template_test

import (
	"os"
	"testing"

	"github.com/distgate/distgate/workflows/template"
)

func TestX(t *testing.T) {
	raw, _ := os.ReadFile("testdata/numpy.yml")
	w, err := template.Read(".github/workflows/wheels.yml", raw)
	if err != nil {
		t.Fatal(err)
	}
	e, err := w.Edit()
	t.Logf("%+v %v", e.Removed, err)
	os.WriteFile("/tmp/c/out.yml", e.Text, 0o600)
	t.Logf("%+v", w.Build("a/b", "main"))
	s := template.Setup{Action: "distgate/distgate@3d3c42e5aac5ba805825da76410c181273ba90b1", Repository: "a/b", Branch: "main", Workflow: ".github/workflows/release.yml", Indexes: []string{"pypi"}, Build: w.Build("a/b", "main")}
	for _, s.Single = range []bool{false, true} {
		f, err := s.Write()
		t.Log(err)
		for _, f := range f {
			t.Logf("%s\n%s", f.Path, f.Text)
		}
	}
}

package command

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"github.com/distgate/distgate/staging/rule"
	"github.com/distgate/distgate/workflows/template"
)

// pastGate is a job that publishes by other means than distgate.
type pastGate struct {
	Workflow string `json:"workflow"`
	Job      string `json:"job"`
}

// past finds the workflows beside the one that is edited that publish, and their
// publishers. Where one of them has the name that the workflow which releases would
// have, that gets another: the index knows a publisher by the name, and the old one is
// to be removed.
func (b *beginning) past(repo checkout, f setupFlags, s *template.Setup) error {
	names, err := repo.workflows()
	if err != nil {
		return err
	}
	named := repo.publishing()
	s.Workflow = cmp.Or(named, s.Workflow)
	owner, name, _ := strings.Cut(repo.name, "/")
	for _, at := range names {
		raw, err := repo.read(at)
		if err != nil {
			return err
		}
		if f.into != "" && path.Base(f.into) == path.Base(at) {
			continue // it is told of where it is edited
		}
		w, err := template.Read(at, raw)
		if err != nil {
			b.Unread = append(b.Unread, at+" ("+notRead(err)+")")
			continue
		}
		for _, job := range w.Published() {
			s.Project = cmp.Or(s.Project, repo.project(), job.Project)
			b.Past = append(b.Past, pastGate{at, job.Job})
			for _, index := range job.Indexes {
				old := publisher{publishingPage(index, cmp.Or(s.Project, "NAME")), owner, name, path.Base(at), job.Environment}
				if !slices.Contains(b.Old, old) {
					b.Old = append(b.Old, old)
				}
			}
			if at == s.Workflow && named == "" {
				s.Workflow = path.Dir(at) + "/distgate.yml"
			}
		}
	}
	return nil
}

// publishing is the workflow that releases, where a policy names it already.
func (c checkout) publishing() string {
	var is policyFile
	raw, err := c.read(template.Policy)
	if err != nil || toml.Unmarshal(raw, &is) != nil {
		return ""
	}
	return is.Publish.Workflow
}

// workflows are the paths of the repository's workflows.
func (c checkout) workflows() (names []string, err error) {
	const most = 1000
	root, err := os.OpenRoot(c.top)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	all, err := fs.ReadDir(root.FS(), ".github/workflows")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	for _, entry := range all[:min(len(all), most)] {
		if ext := path.Ext(entry.Name()); entry.Type().IsRegular() && (ext == ".yml" || ext == ".yaml") {
			names = append(names, ".github/workflows/"+entry.Name())
		}
	}
	return names, err
}

// notRead is why a workflow was not read, in a few words.
func notRead(err error) string {
	var no rule.Refusals
	if errors.As(err, &no) {
		return "want " + no[0].Want + ", got " + no[0].Got
	}
	return err.Error()
}

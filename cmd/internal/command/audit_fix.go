package command

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/diff"

	"github.com/distgate/distgate/workflows/audit"
	"github.com/distgate/distgate/workflows/template"
)

// fix changes the workflows of a folder where that is safe. It shows the change
// as a diff, and makes it only with --write.
func (f auditing) fix(ctx context.Context, s Streams) error {
	if f.checkout == "" {
		return usagef("audit --fix changes files of a folder: name it with --checkout")
	}
	file, named := f.policy, f.policy != ""
	if !named {
		file = filepath.Join(f.checkout, defaultPolicy)
	}
	table, _, err := auditPolicy(ctx, file, inFolder(filepath.Dir(file)), named)
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(f.checkout)
	if err != nil {
		return err
	}
	defer root.Close()
	files, err := audit.Read(ctx, audit.Checkout(root), audit.Release{})
	if err != nil {
		return err
	}
	resolve, err := resolver(s, table)
	if err != nil {
		return err
	}
	fixed, err := files.Fix(ctx, resolve)
	if err != nil {
		return err
	}
	p := printer{s.Out}
	for _, x := range fixed {
		p.diff(x.Path, x.Was, x.Text)
	}
	return p.fixed(root, fixed, f.write)
}

// resolver asks GitHub what a name stands for, each once.
func resolver(s Streams, t policyFile) (audit.Resolver, error) {
	client, err := auditClient(s, t)
	if err != nil {
		return nil, err
	}
	known := map[audit.Named]audit.Found{}
	return func(ctx context.Context, n audit.Named) (audit.Found, error) {
		if found, ok := known[n]; ok {
			return found, nil
		}
		commit, version, err := client.Resolve(ctx, n.Repository, n.Ref)
		if err == nil {
			known[n] = audit.Found{Commit: commit, Version: version}
		}
		return known[n], err
	}, nil
}

// diff is what changes in a file, which may be new.
func (p printer) diff(path, was, text string) {
	from := "a/" + path
	if was == "" {
		from = "/dev/null"
	}
	for line := range strings.Lines(string(diff.Diff(from, []byte(was), "b/"+path, []byte(text)))) {
		p.line("%s", strings.TrimRight(line, "\r\n"))
	}
}

// fixed says what was changed, or would be.
func (p printer) fixed(root *os.Root, fixed []audit.Fixed, write bool) error {
	for _, x := range fixed {
		if write {
			if err := rewrite(root, x); err != nil {
				return err
			}
		}
		p.line("%-10s %s: %s", map[bool]string{true: "wrote", false: "to write"}[write], x.Path, plural(len(x.Change), "change"))
	}
	switch {
	case len(fixed) == 0:
		p.outcome("done", "nothing that can be changed safely; triggers, scripts and secrets are yours")
	case !write:
		p.field("next", "read it, and run the same again with --write")
	default:
		p.field("next", "read it, let the workflows run on a pull request: a job that needs more than to read says what")
	}
	return nil
}

// rewrite writes a file that is still as it was read.
func rewrite(root *os.Root, x audit.Fixed) error {
	was, err := root.ReadFile(x.Path)
	if err != nil {
		return err
	}
	if string(was) != x.Was {
		return fmt.Errorf("%s was changed meanwhile; run it again", x.Path)
	}
	info, err := root.Stat(x.Path)
	if err != nil {
		return err
	}
	return root.WriteFile(x.Path, []byte(x.Text), info.Mode().Perm())
}

// ready writes the settings that the rules want into a folder, with the command
// that applies each.
func (f auditing) ready(ctx context.Context, s Streams) error {
	table, _, _, err := f.policyHere(ctx)
	if err != nil {
		return err
	}
	repository := f.repository
	if repository == "" {
		repository = table.Publish.Repository
	}
	if repository == "" {
		return usagef("name the repository: distgate audit OWNER/NAME --settings DIR")
	}
	if err := os.MkdirAll(f.settings, 0o755); err != nil {
		return err
	}
	facts, p := table.auditFacts(), printer{s.Out}
	withdrawing := ""
	if table.Store.Registry != "" { // without one there is no job that takes a release back
		withdrawing = cmp.Or(table.Withdraw.Environment, template.Withdrawing)
	}
	p.line("An administrator applies each; nothing was changed on GitHub.")
	for _, r := range audit.ReadySettings(repository, facts.Refs, facts.Environments, withdrawing) {
		if r.File != "" {
			file := filepath.Join(f.settings, r.File)
			if err := writeNew(file, r.JSON); err != nil {
				return err
			}
			r.Command += " --input " + quoted(file)
		}
		for _, line := range wrap(r.Note, width-len("# ")) {
			if line != "" {
				p.line("# %s", line)
			}
		}
		p.line("%s", r.Command)
	}
	return nil
}

// writeNew writes a file that is not there, or is the same already.
func writeNew(path string, raw []byte) error {
	was, err := os.ReadFile(path)
	if err == nil && string(was) == string(raw) {
		return nil
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = file.Write(raw)
	return errors.Join(err, file.Close())
}

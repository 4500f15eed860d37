package main

import (
	"context"
	"os"

	"github.com/distgate/distgate/cmd/internal/world"
)

// afterwards are the acts that play when the release is long out.
func afterwards() []act {
	return []act{
		{"10. A month later: someone else uploaded a file", `
A token that somebody once made for the index was stolen, and a version 1.0.1 is
there that nobody built, proved or approved. reconcile runs every hour; it reads
what the index offers, and holds it against the receipts.`, (*demo).stolen},

		{"11. We take it back", `
No token can yank on PyPI, so distgate has no button either. It says where the
button is, what to paste there, and what that does to users; and it writes down
that this version was taken back.`, (*demo).takeBack},

		{"12. Is the repository itself locked down?", `
The gate is as strong as the repository that it runs in. audit judges workflows
and settings, rule by rule: of a repository that began in an afternoon, and of
one that keeps what Astral and numpy published. Here are its first lines.`, (*demo).audited},
	}
}

// stolen is an upload that reconcile finds.
func (d *demo) stolen(ctx context.Context) error {
	if _, err := d.world.Intrude(ctx, "1.0.1", "py3-none-any"); err != nil {
		return err
	}
	return d.distgate(ctx, verb{line: "reconcile", want: refused, says: "  rule       reconcile-foreign\n", show: results})
}

// takeBack withdraws the stolen version, and looks again.
func (d *demo) takeBack(ctx context.Context) error {
	err := d.distgate(ctx, verb{says: "paste      not-by-us", show: results,
		line: "withdraw 1.0.1 --reason not-by-us --instead 1.0 --patience 0s --draft ."})
	if err != nil {
		return err
	}
	d.say(`
Carol owns widget on the index. She opens the page and yanks 1.0.1; and the
entry above goes into withdrawn.toml, by a reviewed change.`)
	if err := d.world.Index().Yank(world.Project, "1.0.1", "not-by-us"); err != nil {
		return err
	}
	if err := d.distgate(ctx, verb{line: "reconcile", want: done, says: "0 things not in agreement", show: results}); err != nil {
		return err
	}
	d.say("Some days later the index's administrators remove the file.")
	if err := d.world.Index().DeleteFile(world.Project, "widget-1.0.1-py3-none-any.whl"); err != nil {
		return err
	}
	return os.Remove("withdrawn.toml")
}

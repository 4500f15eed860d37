package main

import (
	"context"

	"github.com/distgate/distgate/cmd/internal/world"
)

// audited are two repositories, as somebody who administers both sees them.
func (d *demo) audited(ctx context.Context) error {
	admin := []string{"GITHUB_TOKEN=" + d.world.AdminToken(), "GITHUB_API_URL=" + d.world.GitHubURL()}
	for _, v := range []verb{
		{line: "audit " + world.Loose + " --check", want: refused, says: "rules broken", show: firstLine, job: admin},
		{line: "audit " + world.Locked + " --check", says: ": 0 rules broken", show: firstLine, job: admin},
	} {
		if err := d.distgate(ctx, v); err != nil {
			return err
		}
	}
	return nil
}

package command

import (
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/distgate/distgate/staging/rule"
	"github.com/distgate/distgate/workflows/audit"
)

func newExplain(s Streams) *cobra.Command {
	return &cobra.Command{
		Use:   "explain [RULE]",
		Short: "Tell the story behind a refusal's rule, or list the rules",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				for _, id := range ruleIDs() {
					fmt.Fprintln(s.Out, id)
					for _, line := range wrap(why(id), width-4) {
						fmt.Fprintln(s.Out, "    "+line)
					}
				}
				return nil
			}
			story := storyOf(rule.ID(args[0]))
			if story == "" {
				return usagef("no rule is called " + args[0] + "; distgate explain lists them")
			}
			for _, line := range wrap(story, width) {
				fmt.Fprintln(s.Out, line)
			}
			return nil
		},
	}
}

// ruleIDs are all rules: those that refuse a release, and those of the audit.
func ruleIDs() []rule.ID {
	ids := rule.IDs()
	for _, r := range audit.Rules() {
		ids = append(ids, r.ID)
	}
	slices.Sort(ids)
	return ids
}

// why is the first sentence of the story.
func why(id rule.ID) string {
	if r, ok := audit.Lookup(id); ok {
		return "Wanted: " + r.Title + "."
	}
	return id.Why()
}

func storyOf(id rule.ID) string {
	if r, ok := audit.Lookup(id); ok {
		return "Wanted: " + r.Title + ". " + r.Why + " " + r.Fix
	}
	return id.Story()
}

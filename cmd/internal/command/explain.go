package command

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/distgate/distgate/staging/rule"
)

func newExplain(s Streams) *cobra.Command {
	return &cobra.Command{
		Use:   "explain [RULE]",
		Short: "Tell the story behind a refusal's rule, or list the rules",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				for _, id := range rule.IDs() {
					fmt.Fprintln(s.Out, id)
				}
				return nil
			}
			story := rule.ID(args[0]).Story()
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

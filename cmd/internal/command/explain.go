package command

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/distgate/distgate/staging/rule"
)

func newExplain(s Streams) *cobra.Command {
	return &cobra.Command{
		Use:   "explain RULE",
		Short: "Tell the story behind a refusal's rule",
		Args:  cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			story := rule.ID(args[0]).Story()
			if story == "" {
				return usagef("no rule is called " + args[0] + "; a refusal names its rule")
			}
			for _, line := range wrap(story, width) {
				fmt.Fprintln(s.Out, line)
			}
			return nil
		},
	}
}

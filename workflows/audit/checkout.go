package audit

var persistedCredentials = Rule{
	ID:    "artipacked",
	Title: "checkout leaves no credential on disk",
	Why: "actions/checkout writes the job's token into .git/config unless it is told not to. Every later step can read it, and " +
		"an artifact of the whole folder publishes it.",
	Looks:  InWorkflow,
	Theirs: []string{"zizmor artipacked"},
	Fix:    "Write persist-credentials: false into the with of every actions/checkout.",
	judge: steps(everyFile, func(s *step) []Spot {
		if !fits(s.uses(), []string{"actions/checkout"}) {
			return nil
		}
		switch v, ok := s.with("persist-credentials"); {
		case !ok:
			return []Spot{s.spot("persist-credentials is not false; the default is true")}
		case value(v) != "false":
			return []Spot{s.spot("persist-credentials: " + value(v))}
		}
		return nil
	}),
}

package audit

// questions are what no machine can check: they are asked of a person, and never
// hold by themselves.
var questions = []Rule{
	{
		ID:    "publisher-names-environment",
		Title: "the publisher on the index names the workflow and the environment",
		Why: "Without an environment at the publisher, any job of the repository with an ID token uploads, and no reviewer is asked. " +
			"The index shows a project's publishers to its owners alone.",
		Looks: WithPeople,
		Fix:   "Open the project's publishing page on the index: one publisher, with this repository, this workflow and the environment.",
	},
	{
		ID:    "tokens-revoked",
		Title: "no upload token of the project is left on the index",
		Why: "A token that nobody uses any more still works. The second wave of Ultralytics (2024) was uploaded with one that had " +
			"been forgotten, after the workflow was mended.",
		Looks: WithPeople,
		Fix:   "Every owner and maintainer opens their account on the index and removes all API tokens that reach the project.",
	},
	{
		ID:    "strong-second-factor",
		Title: "whoever can write or release has a second factor that cannot be phished",
		Why: "In July 2025 a page that looked like PyPI took passwords and six-digit codes of maintainers, and num2words was " +
			"released by somebody else. GitHub says who has a second factor, and not of what kind.",
		Looks: WithPeople,
		Fix:   "Ask each of them for a security key or a passkey, on GitHub and on the index, and to remove codes and text messages.",
	},
	{
		ID:    "automation-has-own-account",
		Title: "privileged automation has an App of its own, and no person's token",
		Why: "A person's token in a secret is that person, everywhere. tj-actions and Trivy were both entered by the token of a bot " +
			"that could do more than its job.",
		Looks: WithPeople,
		Fix:   "List the tokens in secrets. Replace each by a GitHub App with the few permissions it needs, or by a fine-grained token of a bot.",
	},
	{
		ID:    "builds-reproduce",
		Title: "somebody else gets the same files from the same source",
		Why: "Provenance says which machine made a file. Only a second build, by somebody else, says that the machine did what the " +
			"source says.",
		Looks: WithPeople,
		Fix:   "Set SOURCE_DATE_EPOCH, pin the tools of the build, build twice and compare; write down which files differ, and why.",
	},
	{
		ID:    "dependencies-are-known",
		Title: "what the project builds with is small, funded and known to somebody",
		Why: "xz (2024) and LiteLLM's scanner (2026) came in by what others maintain. How well a dependency is looked after is no " +
			"setting.",
		Looks: WithPeople,
		Fix:   "List what the build installs and links. Ask of each who maintains it, and whether the project could do without.",
	},
}

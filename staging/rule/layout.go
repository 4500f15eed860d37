package rule

// The rules of the chain of custody.
const (
	LayoutForm      ID = "layout-form"
	LayoutStep      ID = "layout-step"
	LayoutArtifacts ID = "layout-artifacts"
)

var layoutStories = map[ID]string{
	LayoutForm: "A layout says which steps a release takes and which files may pass from one to the next. " +
		"distgate judges a layout whole or not at all: inspections are commands that somebody else wrote, keys are " +
		"not how workflows sign, and rules that do not end with DISALLOW * let everything pass that they do not name. " +
		"Begin with what distgate layout prints.",
	LayoutStep: "A step of the layout has nobody's word that it happened, or another step's. " +
		"distgate itself proves build, stage, vote and publish; every further step is attested by the workflow " +
		"that the layout names. Give its bundle with --step NAME=FILE.",
	LayoutArtifacts: "The files that one step left are not those that the next one took. Something was changed, " +
		"added or lost between them. Stop, and find out which step it was.",
}

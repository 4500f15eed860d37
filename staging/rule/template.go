package rule

// The rules that workflows/template judges by.
const (
	BuildWorkflow ID = "build-workflow"
	BuildToken    ID = "build-token"
)

var templateStories = map[ID]string{
	BuildWorkflow: "init edits a workflow by whole jobs: those that published go out, one that attests comes in, and " +
		"every other byte stays. Where that cannot be done by cutting lines, or would leave a job that waits for one " +
		"that is gone, nothing is written. Make the change that the text names, and run init again.",
	BuildToken: "Whoever has id-token: write can have a certificate for the workflow, and sign for any file as if it " +
		"had been built there. A job that builds runs the code of the project and of everything that it installs, so " +
		"it must not have it: the job that attests has, and runs nothing of the project.",
}

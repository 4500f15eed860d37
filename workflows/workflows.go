// Package workflows is the only room that knows GitHub: it asks the workflow
// run that distgate runs in, and the runs that built, for what only GitHub can
// say.
//
// A [Client] talks to one API with one token. It asks what a run is
// ([Client.Run]), where its jobs ran ([Client.Jobs]), what they left behind
// ([Client.Artifacts]) and who attested a file ([Client.Attestations]):
//
//	github, err := workflows.NewClient("https://api.github.com", token, tell)
//	run, err := github.Run(ctx, "acme/widget", 29679449)
//	got, err := github.Collect(ctx, []workflows.Run{run}, what, blobs, progress)
//	err = github.AddAttestations(ctx, "acme/widget", got.Candidates)
//	verdict, err := verifier.Asking(github.Jobs).Verify(ctx, policy, got.Candidates)
//
// [Client.Collect] makes candidates of a run's artifacts. An artifact is pinned
// by the SHA-256 that GitHub keeps of it; it goes into the store under that
// digest, is opened there within bounds, and each distribution in it is hashed
// again under its own. What has to be refused comes back as candidates that are
// refused, so that no verdict can leave it out.
//
// Of the run that publishes it asks whether its [Environment] is a gate
// ([Environment.Check]), who reviewed it ([Client.Reviews]), and posts a person's
// own review, once ([Client.Post]). A [Review] is plain facts: whether it is a vote
// is judged by whoever counts votes.
//
// Afterwards it keeps one issue open while something is wrong (Client.KeepIssue), and
// copies a release to GitHub's own releases (Client.Publish).
//
// What GitHub says is believed for where jobs ran and who started them, and for
// nothing about a file: its bytes are hashed here, and its evidence is judged
// by attest. An answer that is missing a field, or a list that is not as long
// as it says, is an error: absence proves nothing.
//
// The job's own ID token ([IDToken]) is a JWT in which GitHub tells which
// repository, workflow, ref, environment and runner the job has. It opens two
// doors, Fulcio's with the audience "sigstore" and the index's with the
// audience that the policy pins.
//
// Rooms get values: addresses and tokens are handed in, and nothing here reads
// an environment variable. A token never leaves except in the Authorization
// header of a request to the one host that it is for: no redirect takes it
// elsewhere, no plain http beyond this machine, no error quotes it.
package workflows

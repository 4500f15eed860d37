// Package workflows is the only room that knows GitHub: it asks the workflow
// run that distgate runs in, and the runs that built, for what only GitHub
// can say.
//
// So far it gets one thing, the job's ID token ([IDToken]): a JWT in which
// GitHub tells which repository, workflow, ref, environment and runner the job
// has. It opens two doors, Fulcio's with the audience "sigstore" and the
// index's with the audience that the policy pins, and it is the only secret
// that distgate ever holds without having asked for it in the same breath.
//
// Rooms get values: the request URL and the request token are handed in by
// whoever read them from the job's environment, and nothing here reads an
// environment variable. A request token that has been handed in never leaves
// except in the Authorization header of a request to that URL: no redirect
// takes it elsewhere, no plain http beyond this machine, no error quotes it.
package workflows

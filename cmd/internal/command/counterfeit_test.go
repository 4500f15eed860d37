package command

import (
	"context"
	"encoding/json"
	"os"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/distgate/distgate/attest"
	"github.com/distgate/distgate/attest/sigstoretest"
	"github.com/distgate/distgate/publish"
	"github.com/distgate/distgate/staging"
	"github.com/distgate/distgate/staging/dist"
)

// ownSigstores are those that somebody made for a story, by its folder.
var ownSigstores sync.Map

// sigstore FILE: somebody makes a Sigstore, whose trusted root is written to the file.
func ownSigstore(ts *testscript.TestScript, _ bool, args []string) {
	own, err := sigstoretest.NewGitHub()
	ts.Check(err)
	ownSigstores.Store(ts.Getenv("WORK"), own)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), own.TrustedRoot(), 0o644))
}

// counterfeit STORE RELEASE: the Sigstore signs a receipt of the release, as the job
// that publishes, and it lies in the store.
func counterfeit(ts *testscript.TestScript, _ bool, args []string) {
	own, _ := ownSigstores.Load(ts.Getenv("WORK"))
	w := inWorld(ts)
	raw, err := json.Marshal(w.PublishJob())
	ts.Check(err)
	var claims sigstoretest.Claims
	ts.Check(json.Unmarshal(raw, &claims))
	claims.Issuer, claims.Subject = w.GitHub().Issuer(), w.PublishJob().Subject()
	store, err := staging.OpenStore(ts.MkAbs(args[0]))
	ts.Check(err)
	release, err := dist.ParseDigest(args[1])
	ts.Check(err)
	releases, _, err := store.Releases(context.Background())
	ts.Check(err)
	for _, r := range releases {
		if r.Digest != release {
			continue
		}
		receipt := publish.Receipt{Index: r.Manifest.Index, Project: r.Manifest.Project, Version: r.Manifest.Version,
			Confirmed: time.Now().UTC().Truncate(time.Second)}
		for _, f := range r.Manifest.Files {
			receipt.Files = append(receipt.Files, publish.ReceiptFile{Name: f.Name, Digest: f.Digest, Size: f.Size,
				URL: "https://files.example/" + f.Name, Attestation: f.Digest})
		}
		statement, err := attest.Encode(attest.Statement[publish.Receipt]{Name: receipt.Project + "-" + receipt.Version,
			Subject: release, Type: publish.ReceiptType, Predicate: receipt})
		ts.Check(err)
		bundle, err := own.(*sigstoretest.Sigstore).Sign(claims, statement)
		ts.Check(err)
		ts.Check(store.Attach(context.Background(), release, staging.Record{Kind: publish.ReceiptKind, Statement: statement, Bundle: bundle}))
		return
	}
	ts.Fatalf("no release %s", release)
}

package publish_test

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/distgate/distgate/publish"
	"github.com/distgate/distgate/staging"
)

func TestAReleaseIsPublished(t *testing.T) {
	w := newWorld(t)
	confirmed, err := w.publish()
	w.must(err)
	staged := w.approved.Staged()
	if confirmed.IsZero() || confirmed.Release() != staged.Digest() {
		t.Errorf("confirmed %v, want %v", confirmed.Release(), staged.Digest())
	}
	receipts, no, err := publish.Receipts(context.Background(), w.store,
		staging.Release{Digest: staged.Digest(), Manifest: staged.Manifest()}, w.publisher(), w.verifier)
	w.must(err)
	if len(receipts) != 1 || len(no) != 0 {
		t.Fatalf("%d receipts, %v refused", len(receipts), no)
	}
	if diff := cmp.Diff(confirmed.Receipt(), receipts[0].Receipt); diff != "" {
		t.Error(diff)
	}
	var uploads []string
	for _, e := range w.events {
		if e.Step == publish.Uploaded {
			uploads = append(uploads, e.File)
		}
	}
	if diff := cmp.Diff([]string{wheelName, sdistName}, uploads); diff != "" {
		t.Errorf("wheels first, the sdist last:\n%s", diff)
	}
}

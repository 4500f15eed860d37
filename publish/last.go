package publish

import (
	"context"
	"slices"
	"time"

	"github.com/distgate/distgate/attest"
	"github.com/distgate/distgate/staging"
)

// Last is a release that a receipt says was published.
type Last struct {
	staging.Release
	Believed bool // the publisher of today's policy signed the receipt
	at       time.Time
}

// LastPublished finds the release, other than own, that was published last and
// counts, by the receipts in the store. Under which name an index has it is not
// asked, since a policy gives those: a receipt that is believed was signed by the
// same job. If none is, it is the highest version of the project that has any. It
// has no digest where the store knows of none, which proves nothing.
func LastPublished(
	ctx context.Context, store *staging.Store, own staging.Release, p Publisher, v *attest.Verifier,
	counts func(context.Context, staging.Release) (bool, error),
) (Last, error) {
	releases, _, err := store.Releases(ctx)
	if err != nil {
		return Last{}, err
	}
	var list []Last
	for _, r := range slices.Backward(releases) { // by version
		if r.Digest == own.Digest {
			continue
		}
		believed, refused, err := Receipts(ctx, store, r, p, v)
		if err != nil {
			return Last{}, err
		}
		if n := len(believed); n > 0 { // by time
			list = append(list, Last{r, true, believed[n-1].Receipt.Confirmed})
		} else if len(refused) > 0 && r.Manifest.Project == own.Manifest.Project {
			list = append(list, Last{Release: r})
		}
	}
	slices.SortStableFunc(list, func(a, b Last) int {
		return b.at.Compare(a.at) // one that is not believed has no time
	})
	for _, last := range list {
		if ok, err := counts(ctx, last.Release); ok || err != nil {
			return last, err
		}
	}
	return Last{}, nil
}

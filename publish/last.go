package publish

import (
	"context"
	"time"

	"github.com/distgate/distgate/attest"
	"github.com/distgate/distgate/staging"
	"github.com/distgate/distgate/staging/dist"
)

// Last is a release that a receipt says was published.
type Last struct {
	staging.Release
	Believed bool // the publisher of today's policy signed the receipt
}

// LastPublished finds the release of the same project and index, other than m's
// own, that was published last, by the receipts in the store: by the newest one
// that is believed, or if none is, the highest version that has any. It has no
// digest where the store knows of none, which proves nothing.
func LastPublished(
	ctx context.Context, store *staging.Store, m staging.Manifest, p Publisher, v *attest.Verifier,
) (last Last, err error) {
	releases, _, err := store.Releases(ctx)
	if err != nil {
		return Last{}, err
	}
	var at time.Time
	for _, r := range releases { // by version
		if r.Manifest.Project != m.Project || r.Manifest.Index != m.Index || sameVersion(r.Manifest.Version, m.Version) {
			continue
		}
		believed, refused, err := Receipts(ctx, store, r, p, v)
		if err != nil {
			return Last{}, err
		}
		if len(believed) == 0 && len(refused) > 0 && !last.Believed {
			last = Last{Release: r}
		}
		for _, b := range believed {
			if !last.Believed || b.Receipt.Confirmed.After(at) {
				last, at = Last{Release: r, Believed: true}, b.Receipt.Confirmed
			}
		}
	}
	return last, nil
}

func sameVersion(a, b string) bool {
	v, errV := dist.ParseVersion(a)
	w, errW := dist.ParseVersion(b)
	return a == b || errV == nil && errW == nil && v.Equal(w)
}

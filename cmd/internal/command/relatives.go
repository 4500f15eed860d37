package command

import (
	"context"
	"errors"
	"slices"

	"github.com/distgate/distgate/approval"
	"github.com/distgate/distgate/staging"
	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

// relatives says which other releases of the store have files of this one, and
// were rejected. A rejection ends one release digest; whoever stages the same
// files again, with a blank more in a bundle, has another digest, and people
// should know of the no that it leaves behind. The release that files were added
// to is none of them: it was published.
func (r release) relatives(ctx context.Context, s Streams) (said []string, err error) {
	releases, malformed, err := r.store.Releases(ctx)
	if err != nil {
		return nil, err
	}
	for _, m := range malformed {
		said = append(said, m.File+" cannot be read, and could have files of this one and a rejection")
	}
	for _, other := range releases {
		if other.Digest == r.staged.Digest() || other.Digest == r.before.Digest || !r.shares(other.Manifest) {
			continue
		}
		text, err := r.rejected(ctx, s, other.Digest)
		if err != nil {
			return nil, err
		}
		if text != "" {
			said = append(said, short(other.Digest)+", which has files of this one: "+text)
		}
	}
	return said, nil
}

// shares tells whether a release claims a file of this one.
func (r release) shares(other staging.Manifest) bool {
	ours := map[dist.Digest]bool{}
	for _, f := range r.staged.Manifest().Files {
		ours[f.Digest] = true
	}
	return slices.ContainsFunc(other.Files, func(f staging.File) bool { return ours[f.Digest] })
}

// rejected is by whom a release was rejected, or why that cannot be told. It is
// empty only where the votes were counted and nobody's no stands.
func (r release) rejected(ctx context.Context, s Streams, digest dist.Digest) (string, error) {
	other, err := r.policy.open(ctx, s, r.flags, r.store, digest)
	if err == nil {
		_, _, err = other.count(ctx, s)
	}
	var no rule.Refusals
	var waiting approval.Waiting
	switch {
	case err == nil || errors.As(err, &waiting):
		return "", nil
	case ctx.Err() != nil:
		return "", ctx.Err()
	case !errors.As(err, &no):
		return "its votes could not be counted: " + err.Error(), nil
	case no[0].Rule == rule.ReleaseRejected:
		return no[0].Got, nil
	}
	return "it is refused today, and its votes were not counted (" + string(no[0].Rule) + ")", nil
}

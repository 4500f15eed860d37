package command

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/distgate/distgate/staging"
	"github.com/distgate/distgate/staging/blob"
	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
	"github.com/distgate/distgate/workflows"
)

// originOf is the way by which files came from runs, as the manifest tells it.
func originOf(got workflows.Collected) (from staging.Origin) {
	for _, a := range got.Artifacts {
		from.Artifacts = append(from.Artifacts, pinned(a, false))
	}
	for _, a := range got.Superseded {
		from.Artifacts = append(from.Artifacts, pinned(a, true))
	}
	for _, r := range got.Replaced {
		from.Replaced = append(from.Replaced, staging.Replacement(r))
	}
	return from
}

func pinned(a workflows.Artifact, superseded bool) staging.Artifact {
	p := staging.Artifact{Repository: a.Repository, Run: a.Run, ID: a.ID, Name: a.Name, Size: a.Size, Superseded: superseded}
	if !a.Digest.IsZero() {
		p.Digest = a.Digest.String()
	}
	return p
}

// refill brings the files of a release that this machine does not have, where
// the store is a registry without them: out of the artifacts that the manifest
// pins. Nothing is believed of them; opening the release hashes every one.
func (p policy) refill(ctx context.Context, s Streams, store *staging.Store, m staging.Manifest) error {
	if p.table.Store.Registry == "" || p.table.Store.Files || !missing(ctx, store, m) {
		return nil
	}
	artifacts, err := p.toFetch(m)
	if err != nil || len(artifacts) == 0 {
		return err
	}
	client, err := p.github(s)
	if err != nil {
		return err
	}
	fetching := newFetching(s)
	what := workflows.Selection{LeaveOut: func(name string) bool {
		return !slices.ContainsFunc(m.Files, func(f staging.File) bool { return f.Name == name })
	}}
	got, err := client.Fetch(ctx, artifacts, what, store.Blobs(), fetching.event)
	if err != nil {
		return err
	}
	fetching.bar.finish()
	return removeArchives(store.Blobs(), got.Archives, m)
}

func missing(ctx context.Context, store *staging.Store, m staging.Manifest) bool {
	return slices.ContainsFunc(m.Files, func(f staging.File) bool {
		_, err := store.Blobs().File(ctx, f.Digest, f.Size, f.Name)
		return err != nil
	})
}

// toFetch are the artifacts that the files came from, by what the manifest says.
// Whoever writes to the store writes that, and has no other repository read with
// this token.
func (p policy) toFetch(m staging.Manifest) (list []workflows.Artifact, err error) {
	for _, a := range m.Origin.Artifacts {
		if a.Superseded {
			continue
		}
		if !strings.EqualFold(a.Repository, p.table.Build.Repository) {
			return nil, rule.Refusals{{File: a.Name, Rule: rule.ArtifactForeign, Want: "an artifact of " + p.table.Build.Repository,
				Got: "one of " + a.Repository, Hint: "find out who wrote this release into the store"}}
		}
		digest, err := dist.ParseDigest(a.Digest)
		if err != nil {
			return nil, err
		}
		list = append(list, workflows.Artifact{Repository: a.Repository, Run: a.Run, ID: a.ID, Name: a.Name, Digest: digest, Size: a.Size})
	}
	return list, nil
}

// removeArchives removes the artifacts that the files were taken out of, but never a
// file of the release itself: what an artifact is, says whoever writes to the store.
func removeArchives(store *blob.Store, archives []dist.File, m staging.Manifest) error {
	var errs []error
	for _, archive := range archives {
		if !slices.ContainsFunc(m.Files, func(f staging.File) bool { return f.Digest == archive.Digest() }) {
			errs = append(errs, store.Remove(archive.Digest()))
		}
	}
	return errors.Join(errs...)
}

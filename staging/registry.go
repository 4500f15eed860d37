package staging

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/errdef"
	oras "oras.land/oras-go/v2/registry"
	"oras.land/oras-go/v2/registry/remote"
	"oras.land/oras-go/v2/registry/remote/errcode"

	"github.com/distgate/distgate/attest"
	"github.com/distgate/distgate/staging/blob"
	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

// Registry says where a store in a registry is, and how to come in.
type Registry struct {
	// Address is HOST[:PORT]/NAME, as "ghcr.io/acme/staging", and is spoken to
	// by https. On this machine "http://127.0.0.1:5000/staging" will do.
	Address string

	// Files keeps the distributions there as well. Without it they are only in
	// the blobs on this machine, which are filled again from the build.
	Files bool

	Config string           // path of Docker's config.json, which says how to log in; may be missing
	Tokens map[string]Token // by host, for those that it does not speak of
}

// Token is a password. It prints as nothing of itself.
type Token string

func (Token) String() string   { return "[token]" }
func (Token) GoString() string { return "[token]" }

const (
	registryWidth = 8      // requests at once
	maxTags       = 40_000 // in one repository
	maxTagPages   = 1000
)

// registry is a repository of an OCI registry. Tags can be moved there by
// whoever may write, blobs can be lost, and the registry can lie. So a tag is
// believed only for what hashes to its name, and what was pushed is read back.
type registry struct {
	repo     *remote.Repository
	address  string
	files    bool
	blobs    *blob.Store   // distributions, on this machine
	patience time.Duration // for one request that is not for a distribution, and its answer
	pause    time.Duration // before it is asked again
}

// OpenRegistry is the store in a repository of a registry, with the
// distributions in the given blobs. It checks the address and asks nobody: a
// repository that does not exist yet holds nothing.
func OpenRegistry(r Registry, files *blob.Store) (*Store, error) {
	if files == nil {
		return nil, errors.New("staging: no blobs for the distributions")
	}
	ref, plain, fault := r.parse()
	if fault != "" {
		return nil, refused(orNothing(r.Address), rule.StoreAddress, "the address of a repository as HOST/NAME", fault,
			`write it as "ghcr.io/acme/staging"; http:// is for a registry on this machine alone`)
	}
	login, err := r.login()
	if err != nil {
		return nil, err
	}
	at := &registry{address: ref.String(), files: r.Files, blobs: files, patience: smallTimeout, pause: firstPause,
		repo: &remote.Repository{
			Reference: ref, PlainHTTP: plain, Client: newClient(plain, login),
			ManifestMediaTypes: []string{typeImage}, TagListMaxPages: maxTagPages, MaxMetadataBytes: maxImage,
		}}
	// Nothing of ours is found by referrers, so oras need not keep a list of
	// them, which would lose writes.
	if err := at.repo.SetReferrersCapability(true); err != nil {
		return nil, err
	}
	return &Store{at: at, name: at.address, width: registryWidth, blobs: files}, nil
}

// Fault says what is wrong with the address, or nothing.
func (r Registry) Fault() string {
	_, _, fault := r.parse()
	return fault
}

// parse takes the address apart, or says what is wrong with it.
func (r Registry) parse() (ref oras.Reference, plain bool, fault string) {
	address, plain := strings.CutPrefix(r.Address, "http://")
	ref, err := oras.ParseReference(address)
	if err != nil {
		return ref, plain, orNothing(r.Address)
	}
	host, _, _ := strings.Cut(ref.Registry, ":")
	if strings.HasPrefix(ref.Registry, "[") {
		host = strings.Trim(ref.Registry[:strings.LastIndexByte(ref.Registry, ']')+1], "[]")
	}
	switch {
	case ref.Reference != "":
		return ref, plain, r.Address + ", with a tag or a digest"
	case plain && !attest.IsLoopback(host):
		return ref, plain, r.Address + ", which is not https"
	case !attest.IsLoopback(host) && !strings.ContainsAny(ref.Registry, ".:"):
		return ref, plain, r.Address + ", without a host"
	}
	return ref, plain, ""
}

func (r *registry) host() string { return r.repo.Reference.Registry }

// index lists the tags, by which alone everything is found.
func (r *registry) index(ctx context.Context) (x index, err error) {
	var tags []string
	if err := r.again(ctx, r.patience, func(ctx context.Context) (err error) {
		tags, err = r.tags(ctx)
		return err
	}); err != nil {
		return index{}, err
	}
	x = newIndex()
	for _, tag := range tags {
		x.Manifests = append(x.Manifests, descriptor{Annotations: annotations{Tag: tag}})
	}
	return x, nil
}

// tags asks once for all tags, and sorts them: not every registry does.
func (r *registry) tags(ctx context.Context) (tags []string, err error) {
	err = r.repo.Tags(ctx, "", func(page []string) error {
		if tags = append(tags, page...); len(tags) > maxTags {
			return errdef.ErrTooManyPages
		}
		return nil
	})
	i := slices.IndexFunc(tags, func(tag string) bool { return !isTag(tag) })
	switch {
	case said(err, errcode.ErrorCodeNameUnknown): // nothing was ever pushed there
		return nil, nil
	case errors.Is(err, errdef.ErrTooManyPages):
		return nil, refused(r.address, rule.StoreIndex, fmt.Sprintf("at most %d tags", maxTags), "more",
			"somebody floods the store; delete the tags that are no releases and no records")
	case err == nil && i >= 0:
		return nil, refused(r.address, rule.StoreIndex, "tags", fmt.Sprintf("%.130q", tags[i]),
			"look at what answers at this address")
	}
	slices.Sort(tags)
	return slices.Compact(tags), err
}

func (r *registry) artifact(ctx context.Context, entry descriptor, max int64, name string) ([]byte, error) {
	release, err := dist.ParseDigest("sha256:" + entry.tag())
	if err != nil {
		return r.tagged(ctx, entry.tag(), max, name)
	}
	raw, err := r.tagged(ctx, entry.tag(), maxImage, name)
	if err != nil {
		return nil, err
	}
	return r.held(ctx, release, raw, name)
}

// tagged reads what a tag of the list leads to.
func (r *registry) tagged(ctx context.Context, tag string, max int64, name string) ([]byte, error) {
	raw, err := r.manifest(ctx, tag, max, name)
	if errors.Is(err, errdef.ErrNotFound) {
		return nil, r.differs(name, "an image manifest under the tag "+tag, "nothing")
	}
	return raw, err
}

// manifest reads the manifest under a tag. Nothing of it is hashed here.
func (r *registry) manifest(ctx context.Context, tag string, max int64, name string) ([]byte, error) {
	return r.take(ctx, max, name, func(ctx context.Context) (ocispec.Descriptor, io.ReadCloser, error) {
		return r.repo.FetchReference(ctx, tag)
	})
}

func (r *registry) read(ctx context.Context, d dist.Digest, max int64, name string) ([]byte, error) {
	raw, err := r.take(ctx, max, name, func(ctx context.Context) (ocispec.Descriptor, io.ReadCloser, error) {
		return r.blob(ctx, d)
	})
	if errors.Is(err, errdef.ErrNotFound) {
		return nil, r.differs(name, d.String(), "nothing")
	}
	if err != nil {
		return nil, err
	}
	if got := dist.Sum(raw); got != d {
		return nil, r.differs(name, d.String(), got.String())
	}
	return raw, nil
}

// blob begins to read one.
func (r *registry) blob(ctx context.Context, d dist.Digest) (ocispec.Descriptor, io.ReadCloser, error) {
	return r.repo.Blobs().(oras.ReferenceFetcher).FetchReference(ctx, d.String())
}

// take reads all of an answer, which must be at most max bytes.
func (r *registry) take(
	ctx context.Context, max int64, name string,
	ask func(context.Context) (ocispec.Descriptor, io.ReadCloser, error),
) (raw []byte, err error) {
	err = r.again(ctx, r.patience, func(ctx context.Context) error {
		_, body, err := ask(ctx)
		if err != nil {
			return err
		}
		defer body.Close()
		raw, err = io.ReadAll(io.LimitReader(body, max+1))
		if err == nil && int64(len(raw)) > max {
			err = r.differs(name, fmt.Sprintf("at most %d bytes", max), "more")
		}
		return err
	})
	return raw, err
}

func (r *registry) differs(name, want, got string) error {
	return refused(name, rule.StoredBytes, want, got,
		"see who may write to "+r.address+"; stage the same files again: the release digest and every record under it stay")
}

// file looks for a distribution on this machine, and then in the registry. What
// comes from there is hashed on its way, and kept.
func (r *registry) file(ctx context.Context, f File) (dist.File, error) {
	file, local := r.blobs.File(ctx, f.Digest, f.Size, f.Name)
	if local == nil || !errors.As(local, new(rule.Refusals)) {
		return file, local
	}
	err := r.again(ctx, transferTime(f.Size), func(ctx context.Context) (err error) {
		file, err = r.download(ctx, f)
		return err
	})
	if errors.Is(err, errdef.ErrNotFound) {
		return dist.File{}, refused(f.Name, rule.StoredBytes, f.Digest.String(),
			"nothing, on this machine and in "+r.address,
			"bring the build's files here again with `distgate stage`: the release digest and every record under it stay")
	}
	return file, err
}

func (r *registry) download(ctx context.Context, f File) (dist.File, error) {
	there, body, err := r.blob(ctx, f.Digest)
	if err != nil {
		return dist.File{}, err
	}
	defer body.Close()
	if there.Size != f.Size {
		return dist.File{}, r.differs(f.Name, fmt.Sprintf("%d bytes", f.Size), fmt.Sprintf("%d bytes", there.Size))
	}
	file, err := r.blobs.Put(ctx, body, f.Name, f.Size)
	if err == nil && file.Digest() != f.Digest {
		return dist.File{}, r.differs(f.Name, f.Digest.String(), file.Digest().String())
	}
	return file, err
}

// transferTime is how long a distribution of that size may take.
func transferTime(size int64) time.Duration {
	return answerTimeout + time.Duration(size/slowest)*time.Second
}

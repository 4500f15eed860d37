package staging

import (
	"context"
	"slices"

	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

// A registry takes an image manifest only if all that it points to is there,
// and the distributions of a release mostly are not: they are large, and can be
// had again from the build. So a release's image manifest, whose digest people
// vote for, lies in a registry as a blob. What its tag leads to is a holding, an
// artifact that points to that blob and to all the rest that is kept there, so
// that the registry collects none of it as garbage:
//
//	tag <release hex>
//	└─ holding
//	   ├─ config     the release's image manifest, byte for byte as in a folder
//	   └─ layers     its config and its layers, with or without the distributions
//
// A holding says nothing of its own: it is worked out from the image manifest,
// and is refused if it is any other.

// holding is the artifact that holds the release with the given image manifest.
func holding(name string, release []byte, files bool) ([]byte, error) {
	held, err := decodeRelease(name, release)
	if err != nil {
		return nil, err
	}
	layers := append([]descriptor{held.Config}, held.Layers...)
	if !files {
		layers = slices.DeleteFunc(layers, descriptor.isFile)
	}
	return newImage(typeHolding, point(typeHeld, release, ""), layers...).encode()
}

func (d descriptor) isFile() bool { return d.MediaType == typeWheel || d.MediaType == typeSdist }

// held reads the image manifest that a holding points to. The holding must be
// of the release that its tag names.
func (r *registry) held(ctx context.Context, release dist.Digest, raw []byte, name string) ([]byte, error) {
	outside, err := strict(name, rule.ManifestEncoding, raw, maxImage, image.encode)
	if err != nil {
		return nil, err
	}
	if outside.ArtifactType != typeHolding {
		return nil, tagElsewhere(r.address, release.Hex(), dist.Sum(raw))
	}
	if outside.Config.Digest != release {
		return nil, tagElsewhere(r.address, release.Hex(), outside.Config.Digest)
	}
	inside, err := r.read(ctx, release, maxImage, name)
	if err != nil {
		return nil, err
	}
	for _, files := range []bool{false, true} {
		again, err := holding(name, inside, files)
		if err != nil || string(again) == string(raw) {
			return inside, err
		}
	}
	return nil, refused(name, rule.ManifestEncoding, "a holding of all that the release points to", "another",
		"see who may write to "+r.address+"; delete the tag and stage the same files again")
}

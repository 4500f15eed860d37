package staging

import (
	"strconv"

	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

// Fits tells whether a distribution is one that the word is for: "sdist", or a
// wheel as [FileSet] writes it, such as cp313-macosx_arm64, with numbers or
// without. What is no such word is refused.
func Fits(word string, f dist.Filename) (bool, error) {
	if word == sdist {
		return f.Kind == dist.Sdist, nil
	}
	p, ok := parsePattern(word)
	if !ok {
		return false, refused("tag", rule.ExpectedForm, "sdist, or a wheel as cp313-macosx_arm64 or py3-any",
			strconv.Quote(word), "write it as in the policy's [files]")
	}
	wheel, ok := wheelPattern(f)
	return ok && f.Kind == dist.Wheel && p.fits(wheel), nil
}

// Slot is what a distribution is in every release: "sdist", or a wheel's word as
// the policy writes it, without the numbers of a platform, such as
// cp313-manylinux_x86_64. It is empty for a name that has no such word.
func Slot(f dist.Filename) string {
	if f.Kind == dist.Sdist {
		return sdist
	}
	wheel, ok := wheelPattern(f)
	if !ok {
		return ""
	}
	return wheel.open()
}

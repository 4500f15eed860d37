package staging

import (
	"testing"

	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

func TestAWordIsForAFile(t *testing.T) {
	const (
		mac   = "widget-1.0-cp313-cp313-macosx_14_0_arm64.whl"
		linux = "widget-1.0-cp313-cp313-manylinux_2_17_x86_64.manylinux2014_x86_64.whl"
		pure  = "widget-1.0-py3-none-any.whl"
		sdist = "widget-1.0.tar.gz"
	)
	for word, want := range map[string]string{
		"cp313-macosx_arm64": mac, "cp313-cp313-macosx_arm64": mac, "cp313-macosx_14_0_arm64": mac,
		"cp313-manylinux_x86_64": linux, "cp313-manylinux2014_x86_64": linux,
		"py3-any": pure, "py3-none-any": pure, "sdist": sdist,
		"cp313-macosx_11_0_arm64": "", "cp313t-macosx_arm64": "", "cp313-macosx_x86_64": "", "cp313-any": "",
	} {
		for _, file := range []string{mac, linux, pure, sdist} {
			name, err := dist.ParseFilename(file)
			check(t, err)
			if fits, err := Fits(word, name); err != nil || fits != (file == want) {
				t.Errorf("%s, %s: got %t, %v", word, file, fits, err)
			}
		}
	}
	for _, word := range []string{"", "any", "cp313", "*", "cp313-", "-any", "cp313-macosx_*_arm64", "cp313-mac os"} {
		_, err := Fits(word, dist.Filename{})
		refusedBy(t, err, "tag", rule.ExpectedForm)
	}
}

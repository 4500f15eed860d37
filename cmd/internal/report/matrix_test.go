package report

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/distgate/distgate/approval"
	"github.com/distgate/distgate/staging"
	"github.com/distgate/distgate/staging/dist"
)

// drawn is a matrix with an x for each wheel.
func drawn(m matrix) (lines []string) {
	lines = append(lines, strings.Join(m.Pythons, " "))
	for _, row := range m.Platforms {
		line := strings.Join([]string{row.Family, row.Arch, row.From}, " ")
		for _, cell := range row.Cells {
			line += map[bool]string{true: " x", false: " -"}[cell != ""]
		}
		lines = append(lines, line)
	}
	return lines
}

// numpy 2.4.2 is 6 × 11 − 2 + 7 wheels; where one Python has wheels for two
// versions of macOS, each has a row.
func TestMatrixOfNumpy(t *testing.T) {
	want := []string{
		"cp311 cp312 cp313 cp313t cp314 cp314t pp311",
		"macosx arm64 11.0 x x x x x x x",
		"macosx arm64 14.0 x x x x x x x",
		"macosx x86_64 10.9 x x x - x - x",
		"macosx x86_64 14.0 x x x x x x x",
		"manylinux aarch64 2.27 x x x x x x x",
		"manylinux x86_64 2.27 x x x x x x x",
		"musllinux aarch64 1.2 x x x x x x -",
		"musllinux x86_64 1.2 x x x x x x -",
		"win amd64  x x x x x x x",
		"win arm64  x x x x x x -",
		"win32   x x x x x x -",
	}
	if diff := cmp.Diff(want, drawn(numpy(t).matrix())); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestMatrixReadsTags(t *testing.T) {
	var r approval.Review
	for _, tags := range []string{
		"cp39-cp39-win32", "cp310-cp310-win32", "cp311-abi3-linux_armv7l", "py2.py3-none-any", "py3-none-any",
		"pp310-pypy310_pp73-macosx_11_0_universal2", "cp313-cp313t-android_24_arm64_v8a",
	} {
		r.Files = append(r.Files, approval.File{File: staging.File{Kind: dist.Wheel, Size: 2e6}, Tags: tags})
	}
	want := []string{
		"cp39 cp310 cp311-abi3 cp313t pp310 py2.py3 py3",
		"android 24_arm64_v8a  - - - x - - -",
		"any   - - - - - x x",
		"linux armv7l  - - x - - - -",
		"macosx universal2 11.0 - - - - x - -",
		"win32   x x - - - - -",
	}
	if diff := cmp.Diff(want, drawn(Facts{Review: r}.matrix())); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestSizesHaveAUnit(t *testing.T) {
	for size, want := range map[int64]string{3_000: "3.0 kB", 12_700_000: "12.7 MB"} {
		m := Facts{Review: approval.Review{Files: []approval.File{{File: staging.File{Kind: dist.Wheel, Size: size}, Tags: "py3-none-any"}}}}.matrix()
		if got := m.Platforms[0].Cells[0] + " " + m.Unit; got != want {
			t.Errorf("want %s, got %s", want, got)
		}
	}
}

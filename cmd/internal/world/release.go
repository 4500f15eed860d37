package world

import (
	"fmt"
	"strings"
)

// File is a distribution as it comes out of a build.
type File struct {
	Name string
	Raw  []byte
}

// member is one file in a distribution.
type member struct{ path, body string }

// Release makes all distributions of a version of the project: a wheel for
// every platform, two for one platform each, and the sdist. The same version has
// the same bytes on every machine.
func Release(version string) ([]File, error) {
	var files []File
	for _, tag := range []string{
		"py3-none-any",
		"py3-none-macosx_11_0_arm64",
		"py3-none-manylinux_2_17_x86_64",
	} {
		f, err := wheel(version, tag)
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	f, err := sdist(version)
	return append(files, f), err
}

// module is the Python package, as it is installed. The platform is that of a
// wheel's tag: "any", "macosx_11_0_arm64".
func module(version, platform string) []member {
	return []member{
		{"widget/__init__.py", fmt.Sprintf(initPy, version)},
		{"widget/_platform.py", fmt.Sprintf("PLATFORM = %q\n", platform)},
	}
}

const initPy = `"""The smallest project that is worth a release."""

from widget._platform import PLATFORM

__version__ = "%s"


def main():
    print(f"widget {__version__} for {PLATFORM}")
`

// metadata is METADATA in the wheels and PKG-INFO in the sdist.
func metadata(version string) string {
	return strings.Join([]string{
		"Metadata-Version: 2.4",
		"Name: " + Project,
		"Version: " + version,
		"Summary: The smallest project that is worth a release",
		"Requires-Python: >=3.8",
		"License-Expression: MIT-0",
		"License-File: LICENSE",
		"Description-Content-Type: text/markdown",
		"",
		readme,
	}, "\n")
}

const readme = `# widget

The command ` + "`widget`" + ` says which version it is, and for which platform.
`

const license = `MIT No Attribution

Permission is hereby granted, free of charge, to any person obtaining a copy of
this software and associated documentation files (the "Software"), to deal in
the Software without restriction, including without limitation the rights to
use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of
the Software, and to permit persons to whom the Software is furnished to do so.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS
FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR
COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER
IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN
CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
`

const entryPoints = `[console_scripts]
widget = widget:main
`

// pyproject is what makes wheels of the sdist, with flit.
func pyproject(version string) string {
	return fmt.Sprintf(`[build-system]
requires = ["flit_core >=3.11,<4"]
build-backend = "flit_core.buildapi"

[project]
name = "widget"
version = "%s"
description = "The smallest project that is worth a release"
readme = "README.md"
requires-python = ">=3.8"
license = "MIT-0"
license-files = ["LICENSE"]

[project.scripts]
widget = "widget:main"
`, version)
}

package dist_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

func TestMetadataThatPyPIWouldRefuse(t *testing.T) {
	for fields, want := range map[string]rule.ID{
		"Requires-Dist: numpy": "",
		"Requires-Dist: numpy (>=1.20,<3) ; python_version >= \"3.9\"":               "",
		"Requires-Dist: requests[socks, use_chardet]>=2,!=2.5.*,~=2.1; extra == 'x'": "",
		"Requires-Dist: a===whatever":                                                "",
		"Requires-Dist: evil @ https://example.org/evil.whl":                         rule.IndexMetadata,
		"Requires-Dist: evil[x]@ git+https://example.org/evil":                       rule.IndexMetadata,
		"Requires-Dist: numpy>=":                                                     rule.IndexMetadata,
		"Requires-Dist: numpy>dev":                                                   rule.IndexMetadata,
		"Requires-Dist: numpy 1.0":                                                   rule.IndexMetadata,
		"Requires-Dist: -numpy":                                                      rule.IndexMetadata,
		"Requires-Dist: numpy (>=1":                                                  rule.IndexMetadata,
		"Requires-Dist: numpy;":                                                      rule.IndexMetadata,
		"Requires-Python: >=3.9, !=3.10.*":                                           "",
		"Requires-Python: 3.9":                                                       rule.IndexMetadata,
		"Author-email: Ann <ann@example.org>, Bob <bob@example.org>":                 "",
		"Author-email: ann@example.org":                                              "",
		"Author-email: UNKNOWN":                                                      "",
		"Author-email: ann":                                                          rule.IndexMetadata,
		"Maintainer-email: root@localhost":                                           rule.IndexMetadata,
		"Home-page: https://example.org/a":                                           "",
		"Home-page: example.org":                                                     rule.IndexMetadata,
		"Download-URL: ftp://example.org/":                                           rule.IndexMetadata,
		"Project-URL: Source code, https://example.org":                              "",
		"Project-URL: https://example.org":                                           rule.IndexMetadata,
		"Project-URL: " + strings.Repeat("x", 33) + ", https://example.org":          rule.IndexMetadata,
		"Project-URL: Home, javascript:alert(1)":                                     rule.IndexMetadata,
		"Classifier: Programming Language :: Python":                                 "",
		"Classifier: Private :: Do Not Upload":                                       rule.IndexMetadata,
		"License-Expression: MIT":                                                    "",
		"License: MIT\nLicense-Expression: MIT":                                      rule.IndexMetadata,
	} {
		text := strings.Replace(metadata, "\n\n", "\n"+fields+"\n\n", 1)
		if _, err := examine(t, sdistName, sdistOfMetadata(t, text)); refused(t, err) != want {
			t.Errorf("%s: want %q, got %v", fields, want, err)
		}
	}
}

func TestPlatformsThatPyPITakes(t *testing.T) {
	for platform, taken := range map[string]bool{
		"any": true, "win_amd64": true, "manylinux_2_28_x86_64": true, "manylinux2014_aarch64": true,
		"manylinux_2_17_x86_64.manylinux2014_x86_64": true, "musllinux_1_2_riscv64": true, "macosx_10_9_universal2": true,
		"macosx_11_0_arm64": true, "macosx_26_0_arm64": true, "macosx_27_0_arm64": true, "linux_armv7l": true,
		"ios_13_0_arm64_iphoneos": true, "pyemscripten_2025_0_wasm32": true, "android_24_arm64_v8a": true,
		"linux_x86_64": false, "macosx_11_1_arm64": false, "macosx_16_0_arm64": false, "manylinux_2_17_mips": false,
		"musllinux_1_2_ppc64": false, "fakeplat": false, "manylinux_2_28_x86_64.linux_x86_64": false, "any_x": false,
	} {
		name, err := dist.ParseFilename("widget-1.0-py3-none-" + platform + ".whl")
		if err != nil {
			t.Fatal(err)
		}
		if err := name.CheckIndex(); (err == nil) != taken || !taken && refused(t, err) != rule.IndexPlatform {
			t.Errorf("%s: got %v", platform, err)
		}
	}
}

// Every real name that PyPI serves has platforms that PyPI takes.
func TestRealPlatforms(t *testing.T) {
	count := 0
	lines := bufio.NewScanner(bytes.NewReader(read(t, vectors(t, "python-dists", "real_filenames.jsonl"))))
	for lines.Scan() {
		var real struct{ Filename string }
		if err := json.Unmarshal(lines.Bytes(), &real); err != nil {
			t.Fatal(err)
		}
		name, err := dist.ParseFilename(real.Filename)
		if err != nil || name.Kind != dist.Wheel {
			continue
		}
		if count++; refused(t, name.CheckIndex()) == rule.IndexPlatform {
			t.Error(name.CheckIndex())
		}
	}
	if count < 3000 {
		t.Errorf("looked at %d names", count)
	}
}

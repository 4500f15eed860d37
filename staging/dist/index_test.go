package dist_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

func TestMetadataThatPyPIWouldRefuse(t *testing.T) {
	for fields, want := range map[string]rule.ID{
		"Requires-Dist: numpy": "",
		"Requires-Dist: numpy (>=1.20,<3) ; python_version >= \"3.9\"":                              "",
		"Requires-Dist: requests[socks, use_chardet]>=2,!=2.5.*,~=2.1; extra == 'x'":                "",
		"Requires-Dist: a===whatever":                                                               "",
		"Requires-Dist: evil @ https://example.org/evil.whl":                                        rule.IndexMetadata,
		"Requires-Dist: evil[x]@ git+https://example.org/evil":                                      rule.IndexMetadata,
		"Requires-Dist: numpy>=":                                                                    rule.IndexMetadata,
		"Requires-Dist: numpy>dev":                                                                  rule.IndexMetadata,
		"Requires-Dist: numpy 1.0":                                                                  rule.IndexMetadata,
		"Requires-Dist: -numpy":                                                                     rule.IndexMetadata,
		"Requires-Dist: numpy (>=1":                                                                 rule.IndexMetadata,
		"Requires-Dist: numpy;":                                                                     rule.IndexMetadata,
		"Requires-Python: >=3.9, !=3.10.*":                                                          "",
		"Requires-Python: 3.9":                                                                      rule.IndexMetadata,
		"Author-email: Ann <ann@example.org>, Bob <bob@example.org>":                                "",
		"Author-email: ann@example.org":                                                             "",
		"Author-email: UNKNOWN":                                                                     "",
		"Author-email: ann":                                                                         rule.IndexMetadata,
		"Maintainer-email: root@localhost":                                                          rule.IndexMetadata,
		"Home-page: https://example.org/a":                                                          "",
		"Home-page: example.org":                                                                    rule.IndexMetadata,
		"Download-URL: ftp://example.org/":                                                          rule.IndexMetadata,
		"Project-URL: Source code, https://example.org":                                             "",
		"Project-URL: https://example.org":                                                          rule.IndexMetadata,
		"Project-URL: " + strings.Repeat("x", 33) + ", https://example.org":                         rule.IndexMetadata,
		"Author-email: Ann (of Bern) <ann@example.org>":                                             "",
		"Author-email: ann@example.org (Ann)":                                                       "",
		"Author-email: \"Doe, Ann\" <ann@example.org>":                                              "",
		"Author-email: Ann <ann+x@größe.example.org>":                                               "",
		"Author-email: Ann, Bob <bob@localhost>":                                                    "",
		"Author-email: Ann <>":                                                                      "",
		"Author-email: Ann <ann@example.org>; Bob <bob@example.org>":                                "",
		"Author-email: Ann <ann@widget.local>":                                                      rule.IndexMetadata,
		"Author-email: ann@widget.test":                                                             rule.IndexMetadata,
		"Author-email: ann at example.org":                                                          rule.IndexMetadata,
		"Author-email: ann..b@example.org":                                                          rule.IndexMetadata,
		"Author-email: ann@example.c0":                                                              rule.IndexMetadata,
		"Author-email: ann@-example.org":                                                            rule.IndexMetadata,
		"Author-email: ann@ab--c.org":                                                               rule.IndexMetadata,
		"Author-email: ann@" + strings.Repeat("a", 64) + ".org":                                     rule.IndexMetadata,
		"Home-page: https:example":                                                                  "",
		"Home-page: HTTP://example.org:8080/größe {a}|b#[c]":                                        "",
		"Home-page: https://example.org/[a]":                                                        rule.IndexMetadata,
		"Home-page: https://example.org:65536/":                                                     rule.IndexMetadata,
		"Project-URL: A, https://example.org\nProject-URL: B, https://example.org":                  "",
		"Project-URL: A, https://example.org\nProject-URL: A , https://example.com":                 rule.IndexMetadata,
		"Project-URL: Home, javascript:alert(1)":                                                    rule.IndexMetadata,
		"Classifier: Programming Language :: Python":                                                "",
		"Classifier: Private :: Do Not Upload":                                                      rule.IndexClassifier,
		"License-Expression: MIT":                                                                   "",
		"License-Expression: mit AND (Apache-2.0 OR GPL-2.0-or-later WITH Classpath-exception-2.0)": "",
		"License-Expression: LicenseRef-Own OR GPL-2.0+":                                            "",
		"License-Expression: MIT Apache-2.0":                                                        rule.LicenseExpression,
		"License-Expression: MIT AND":                                                               rule.LicenseExpression,
		"License-Expression: (MIT":                                                                  rule.LicenseExpression,
		"License-Expression: MIT)":                                                                  rule.LicenseExpression,
		"License-Expression: ()":                                                                    rule.LicenseExpression,
		"License-Expression: (MIT) WITH Classpath-exception-2.0":                                    rule.LicenseExpression,
		"License-Expression: MIT WITH":                                                              rule.LicenseExpression,
		"License-Expression: LicenseRef-a_b":                                                        rule.LicenseExpression,
		"License-Expression: LicenseRef-a+":                                                         rule.LicenseExpression,
		"Classifier: Natural Language :: Ukranian":                                                  rule.IndexClassifier,
		"Classifier: License :: OSI Approved :: X.Net License":                                      rule.IndexClassifier,
		"Requires-Dist: a; python_version < '3.9' and (os_name == \"nt\" or 'x' not in extras)":     "",
		"Requires-Dist: a; python_version":                                                          rule.IndexMetadata,
		"Requires-Dist: a; python_version < 3.9":                                                    rule.IndexMetadata,
		"Requires-Dist: a; (python_version < '3.9'":                                                 rule.IndexMetadata,
		"Requires-Dist: a; python_version < '3.9') or (os_name == 'nt'":                             rule.IndexMetadata,
		"Requires-Dist: a; os_name == 'nt' and":                                                     rule.IndexMetadata,
		"Requires-Dist: a; platform == 'nt'":                                                        rule.IndexMetadata,
		"Requires-Dist: a[,]":                                                                       rule.IndexMetadata,
		"License: MIT\nLicense-Expression: MIT":                                                     rule.IndexMetadata,
	} {
		text := strings.Replace(metadata, "\n\n", "\n"+fields+"\n\n", 1)
		if _, err := examine(t, sdistName, sdistOfMetadata(t, text)); refused(t, err) != want {
			t.Errorf("%s: want %q, got %v", fields, want, err)
		}
	}
}

func TestNamesThatCanBeImported(t *testing.T) {
	for fields, want := range map[string]rule.ID{
		"Import-Name: widget": "", "Import-Name: widget._core; private": "", "Import-Namespace: größe": "",
		"Import-Name: 2widget": rule.IndexMetadata, "Import-Name: widget.class": rule.IndexMetadata,
		"Import-Name: widget; public": rule.IndexMetadata, "Import-Namespace: widget.": rule.IndexMetadata,
	} {
		text := strings.NewReplacer("\n\n", "\n"+fields+"\n\n", "2.4", "2.5").Replace(metadata)
		if _, err := examine(t, sdistName, sdistOfMetadata(t, text)); refused(t, err) != want {
			t.Errorf("%s: want %q, got %v", fields, want, err)
		}
	}
}

// What PyPI may refuse, and only PyPI knows: a person looks at it.
func TestMetadataToLookAt(t *testing.T) {
	for fields, want := range map[string]string{
		"Classifier: Programming Language :: Python :: 3.14": "",
		"Classifier: Programming Language :: Pyhton":         "look index-classifier: Classifier: Programming Language :: Pyhton is not in",
		"Classifier: A\nClassifier: B":                       "look index-classifier: Classifier: A is not in trove-classifiers 2026.1.14.14; PyPI refuses what it does not know; Classifier: B",
		"Author-email: Ann <ann@example.org>; Bob":           "look index-metadata: Author-email: what may be an address or none: Ann <ann@",
		"License-Expression: MIT AND Mine-1.0":               "look license-expression: License-Expression: mine-1.0 is not in the SPDX license list",
		"License-Expression: MIT WITH MIT":                   "look license-expression: License-Expression: mit is not in",
		"License-Expression: GPL-2.0+":                       "note license-expression: License-Expression: gpl-2.0+ is deprecated",
	} {
		head, _, _ := strings.Cut(metadata, "\n\n")
		got, err := examine(t, sdistName, sdistOfMetadata(t, head+"\n"+fields+"\n"))
		if err != nil {
			t.Errorf("%s: got %v", fields, err)
		}
		said := ""
		for _, f := range got.Findings {
			if f.Rule != rule.NoLicense {
				said += fmt.Sprintf("%s %s: %s", f.Severity, f.Rule, f.What)
			}
		}
		if !strings.HasPrefix(said, want) || want == "" && said != "" {
			t.Errorf("%s: want %q, got %q", fields, want, said)
		}
	}
}

// A description that the index does not render is refused, and where that cannot be
// told a person looks.
func TestDescriptions(t *testing.T) {
	for fields, want := range map[string]string{
		"Description-Content-Type: text/x-rst\n\nTitle\n-----\n\n.. note:: See :code:`x`.\n":                       "",
		"Description-Content-Type: text/x-rst\n\nUse it.\n\n.. toctree::\n":                                        "refuse line 3: Unknown directive type \"toctree\".",
		"Description-Content-Type: Text/X-RST; charset=UTF-8\n\nSee :py:class:`x`.\n":                              "refuse line 1: Unknown interpreted text role \"py:class\".",
		"\nA long title\n====\n\nSee x_.\n":                                                                        "refuse line 1: Title underline too short.; line 4: Unknown target name: \"x\".",
		"Description: A title\n        ====\n":                                                                     "refuse line 1: Title underline too short.",
		"Description-Content-Type: text/x-rst\n\n.. csv-table::\n   :delim: ;\n\n   a;b\n":                         "look line 1: The table has a dialect of its own (delim). Whether docutils takes it was not decided.",
		"Description-Content-Type: text/x-rst\n\n.. Nothing but a comment.\n":                                      "refuse No content rendered from RST source.",
		"Description-Content-Type: text/markdown\n\n.. toctree::\n":                                                "",
		"Description-Content-Type: text/markdown\n\n[a]: https://example.org\n":                                    "look the description defines links and has no text, it seems",
		"Description-Content-Type: text/markdown; variant=GFM\n\n[a]\n\n[a]: https://example.org\n":                "",
		"Description-Content-Type: text/plain\n\n.. toctree::\n":                                                   "",
		"Description-Content-Type: text/x-rst\n":                                                                   "",
		"Description-Content-Type: text/x-rst\n\n" + strings.Repeat("Text and `a <https://example.org>`__. ", 100): "",
	} {
		head, _, _ := strings.Cut(metadata, "\n\n")
		got, err := examine(t, sdistName, sdistOfMetadata(t, head+"\n"+fields+"\n"))
		var said []string
		var no rule.Refusals
		if errors.As(err, &no) {
			for _, r := range no {
				said = append(said, "refuse "+r.Got)
			}
		}
		for _, f := range got.Findings {
			if f.Rule == rule.IndexDescription {
				said = append(said, fmt.Sprintf("%s %s", f.Severity, f.What))
			}
		}
		all := strings.ReplaceAll(strings.Join(said, "; "), "the description, ", "")
		if strings.ReplaceAll(all, "; refuse ", "; ") != want {
			t.Errorf("%s: want %q, got %q, %v", fields, want, all, err)
		}
	}
}

// Metadata of megabytes are judged in one pass over them.
func TestMetadataOfMegabytesAreJudged(t *testing.T) {
	many := func(s string) string { return strings.Repeat(s, (1<<20)/len(s)) }
	for text, want := range map[string]rule.ID{
		"\n" + many(":a:`b`\n") + "\n.. role:: a\n":                          "", // longer than is read
		"\n" + many("Title\n-----\n\n"):                                      "",
		"Import-Name: a" + many(".a") + "\n":                                 "",
		"Requires-Dist: a; os_name == ''" + many(" or os_name == ''") + "\n": "",
		"License-Expression: MIT" + many(" AND MIT") + "\n":                  rule.LicenseExpression,
	} {
		head, _, _ := strings.Cut(strings.Replace(metadata, "2.4", "2.5", 1), "\n\n")
		if _, err := examine(t, sdistName, sdistOfMetadata(t, head+"\n"+text)); refused(t, err) != want {
			t.Errorf("%.40s: want %q, got %.300v", text, want, err)
		}
	}
	marker := strings.Repeat("(", 3<<20)
	long, err := examine(t, sdistName, sdistOfMetadata(t, strings.Replace(metadata, "\n\n", "\nRequires-Dist: a; "+marker+"\n\n", 1)))
	if err != nil || !finds(long, rule.LongText, rule.Look) {
		t.Errorf("want a look at what was not judged, got %+v, %v", long.Findings, err)
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

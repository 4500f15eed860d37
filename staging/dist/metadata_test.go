package dist_test

import (
	"cmp"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

// minimal is metadata of one version with more header lines.
func minimal(metadataVersion, lines string) string {
	return "Metadata-Version: " + metadataVersion + "\nName: widget\nVersion: 1.0\n" + lines
}

func readMetadata(s string) (dist.Metadata, error) {
	return dist.ReadMetadata("METADATA", strings.NewReader(s))
}

func TestMetadataAreReadWhole(t *testing.T) {
	m, err := readMetadata("metadata-version: 2.4\r\nNAME:Widget \nVersion: v1.0\nSummary:\tSmall things\n" +
		"Requires-Python: >=3.12\nRequires-Dist: gadget>=2\nLicense: One\n  line\n\tand more\nX-Other: kept\n" +
		"requires-dist: gizmo; extra == 'all'\nKeywords:\n\n# Widget\r\n\nName: not a field\n")
	if err != nil {
		t.Fatal(err)
	}
	want := []dist.Field{
		{Name: "Metadata-Version", Values: []string{"2.4"}},
		{Name: "Name", Values: []string{"Widget"}},
		{Name: "Version", Values: []string{"v1.0"}},
		{Name: "Summary", Values: []string{"Small things"}},
		{Name: "Requires-Python", Values: []string{">=3.12"}},
		{Name: "Requires-Dist", Values: []string{"gadget>=2", "gizmo; extra == 'all'"}},
		{Name: "License", Values: []string{"One\n  line\n\tand more"}},
		{Name: "X-Other", Values: []string{"kept"}},
		{Name: "Keywords", Values: []string{""}},
		{Name: "Description", Values: []string{"# Widget\r\n\nName: not a field\n"}},
	}
	if diff := gocmp.Diff(want, m.Fields()); diff != "" {
		t.Error(diff)
	}
	if m.Name() != "Widget" || m.Version().String() != "1.0" || m.MetadataVersion() != "2.4" || m.IsZero() ||
		m.Summary() != "Small things" || m.RequiresPython() != ">=3.12" || len(m.RequiresDist()) != 2 ||
		m.Description() != want[9].Values[0] || m.Values("No-Such-Field") != nil {
		t.Errorf("the fields by name: got %+v", m)
	}
	m.Fields()[0].Values[0] = "changed"
	if m.MetadataVersion() != "2.4" {
		t.Error("a reader of the fields changed them")
	}
}

func TestADescriptionInTheHeaderLosesItsIndentation(t *testing.T) {
	for name, header := range map[string]string{
		"distutils": "Description: Widget\n        ======\n        \n          code\nPlatform: any\n\n",
		"PEP 345":   "Description: Widget\n       |======\n       |\n       |  code\n",
	} {
		m, err := readMetadata(minimal("1.1", header))
		if want := "Widget\n======\n\n  code"; err != nil || m.Description() != want {
			t.Errorf("%s: want %q, got %q, %v", name, want, m.Description(), err)
		}
	}
}

func TestMetadataThatToolsReadDifferentlyAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want rule.ID
	}{
		"empty":                    {"", rule.MetadataForm},
		"only a description":       {"\nName: widget\n", rule.MetadataVersion},
		"not UTF-8":                {minimal("2.1", "Summary: caf\xe9\n"), rule.MetadataForm},
		"description not UTF-8":    {minimal("2.1", "\ncaf\xe9\n"), rule.MetadataForm},
		"a byte order mark":        {"\ufeff" + minimal("2.1", ""), rule.MetadataForm},
		"doubled name":             {minimal("2.1", "name: gadget\n"), rule.MetadataForm},
		"doubled version":          {minimal("2.1", "Version: 1.0\n"), rule.MetadataForm},
		"two descriptions":         {minimal("2.1", "Description: one\n\ntwo\n"), rule.MetadataForm},
		"a line that is no field":  {minimal("2.1", "hello\n"), rule.MetadataForm},
		"a field name with blanks": {minimal("2.1", "From me: you\n"), rule.MetadataForm},
		"no field name":            {minimal("2.1", ": x\n"), rule.MetadataForm},
		"a continuation first":     {" x\n" + minimal("2.1", ""), rule.MetadataForm},
		"a hidden carriage return": {minimal("2.1", "Author: me\rName: gadget\n"), rule.MetadataForm},
		"an escape":                {minimal("2.1", "Author: \x1b[31mme\n"), rule.MetadataForm},
		"NUL":                      {minimal("2.1", "Author: me\x00\n"), rule.MetadataForm},
		"a next line":              {minimal("2.1", "Author: me\u0085Name: gadget\n"), rule.MetadataForm},
		"a line separator":         {minimal("2.1", "Author: me\u2028Name: gadget\n"), rule.MetadataForm},
		"an encoded description":   {minimal("2.1", "Content-Transfer-Encoding: base64\n\naGk=\n"), rule.MetadataForm},
		"no name":                  {"Metadata-Version: 2.1\nVersion: 1.0\n", rule.MetadataForm},
		"an empty name":            {"Metadata-Version: 2.1\nName:\nVersion: 1.0\n", rule.MetadataForm},
		"an impossible name":       {"Metadata-Version: 2.1\nName: wid get\nVersion: 1.0\n", rule.MetadataForm},
		"no version":               {"Metadata-Version: 2.1\nName: widget\n", rule.MetadataForm},
		"an impossible version":    {"Metadata-Version: 2.1\nName: widget\nVersion: new\n", rule.MetadataForm},
		"a version from nowhere":   {minimal("2.0", ""), rule.MetadataVersion},
		"a version to come":        {minimal("2.6", ""), rule.MetadataVersion},
		"no metadata version":      {"Name: widget\nVersion: 1.0\n", rule.MetadataVersion},
		"a field to come":          {minimal("2.3", "License-Expression: MIT\n"), rule.MetadataVersion},
		"a licence from outside":   {minimal("2.4", "License-File: ../../etc/passwd\n"), rule.MetadataForm},
		"a summary of two lines":   {minimal("2.1", "Summary: one\n two\n"), rule.MetadataForm},
		"a long summary":           {minimal("2.1", "Summary: "+strings.Repeat("é", 513)+"\n"), rule.MetadataForm},
		"a dynamic name":           {minimal("2.2", "Dynamic: Name\n"), rule.MetadataForm},
		"too long":                 {minimal("2.1", "\n"+strings.Repeat("x", 16<<20)), rule.MetadataForm},
		"a long field":             {minimal("2.1", strings.Repeat("x", 10<<20)), rule.MetadataForm},
		"too many fields":          {minimal("2.1", strings.Repeat("Platform:\n", 1<<16)), rule.MetadataForm},
	} {
		m, err := readMetadata(c.text)
		if got := refused(t, err); got != c.want || !m.IsZero() {
			t.Errorf("%s: want %s, got %q: %v", name, c.want, got, err)
		}
		if err != nil && !strings.HasPrefix(err.Error(), "METADATA: ") {
			t.Errorf("%s: the refusal does not name the file: %v", name, err)
		}
	}
}

// A value of very many lines costs no more than its length.
func TestALongFoldedFieldIsRead(t *testing.T) {
	m, err := readMetadata(minimal("2.1", "License: x\n"+strings.Repeat(" \n", 4<<20)))
	if err != nil || m.Values("License")[0] != "x" {
		t.Errorf("got %v", err)
	}
}

func TestMetadataThatCannotBeReadAreNotRefused(t *testing.T) {
	broken := errors.New("disk")
	_, err := dist.ReadMetadata("METADATA", iotest.ErrReader(broken))
	if !errors.Is(err, broken) || errors.As(err, new(rule.Refusals)) {
		t.Errorf("got %v", err)
	}
}

// Setuptools wrote License-File before there was metadata 2.4; what uploads
// leaves it out then.
func TestALicenceFileMayBeEarly(t *testing.T) {
	m, err := readMetadata(minimal("2.1", "License-File: LICENSE\n"))
	if err != nil || len(m.Values("License-File")) != 1 {
		t.Errorf("got %v", err)
	}
}

func TestEveryFieldOfTheSpecificationIsRead(t *testing.T) {
	text := string(read(t, vectors(t, "python-dists", "metadata", "everything.metadata")))
	if _, err := readMetadata(text); refused(t, err) != rule.MetadataVersion {
		t.Errorf("metadata 2.6, which the index does not take: got %v", err)
	}
	m, err := readMetadata(strings.Replace(text, "Version: 2.6", "Version: 2.5", 1))
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]int{}
	for _, f := range m.Fields() {
		counts[f.Name] = len(f.Values)
	}
	want := map[string]int{
		"Metadata-Version": 1, "Name": 1, "Version": 1, "Platform": 2, "Supported-Platform": 2, "Summary": 1,
		"Description-Content-Type": 1, "Keywords": 1, "Home-page": 1, "Download-URL": 1, "Author": 1,
		"Author-email": 1, "Maintainer": 1, "Maintainer-email": 1, "License": 1, "License-Expression": 1,
		"License-File": 2, "Classifier": 2, "Provides-Extra": 1, "Requires-Dist": 5, "Requires-Python": 1,
		"Requires-External": 3, "Project-URL": 2, "Provides-Dist": 3, "Dynamic": 1, "Import-Name": 2,
		"Import-Namespace": 2, "Description": 1, "ThisIsNotReal": 1,
	}
	if diff := gocmp.Diff(want, counts); diff != "" {
		t.Error(diff)
	}
	if m.Description() != "This description intentionally left blank.\n" {
		t.Errorf("the description is %q", m.Description())
	}
}

// metadataCase is one test of packaging or Warehouse, as its vector tells it.
type metadataCase struct {
	Test   string
	Params []struct{ Values json.RawMessage }
	Raises []string
}

// texts are the case's only parameter.
func (c metadataCase) texts(t *testing.T) (texts []string) {
	t.Helper()
	if len(c.Params) == 0 || json.Unmarshal(c.Params[0].Values, &texts) != nil || len(texts) == 0 {
		t.Fatalf("%s: no texts in %+v", c.Test, c.Params)
	}
	return texts
}

// lists are a case's only parameter where that is a list.
func (c metadataCase) lists(t *testing.T) (lists [][]any) {
	t.Helper()
	if len(c.Params) == 0 || json.Unmarshal(c.Params[0].Values, &lists) != nil || len(lists) == 0 {
		t.Fatalf("%s: no lists in %+v", c.Test, c.Params)
	}
	return lists
}

// field judges each text as the value of one field: accepted, unless the case
// raises. (Metadata 2.6 is nobody's yet, and left out.)
func field(name string) func(*testing.T, metadataCase) {
	return func(t *testing.T, c metadataCase) {
		for _, value := range c.texts(t) {
			_, err := readMetadata(minimal("2.5", name+": "+value+"\n"))
			if refused(t, err); (err == nil) != (len(c.Raises) == 0) {
				t.Errorf("%s: %s %q: raises %v, got %v", c.Test, name, value, c.Raises, err)
			}
		}
	}
}

// lines judges texts that the case has in its code and not in its parameters.
func lines(version string, ok bool, texts ...string) func(*testing.T, metadataCase) {
	return func(t *testing.T, c metadataCase) {
		for _, text := range texts {
			_, err := readMetadata(minimal(version, text))
			if refused(t, err); (err == nil) != ok {
				t.Errorf("%s: %q: want accepted %t, got %v", c.Test, text, ok, err)
			}
		}
	}
}

// repeated gives each field of a list so many times.
func repeated(ok bool, times int, fields string) func(*testing.T, metadataCase) {
	return func(t *testing.T, c metadataCase) {
		for _, name := range strings.Fields(fields) {
			values := map[string]string{
				"Metadata-Version": "2.5", "Name": "widget", "Version": "1.0",
				"Description-Content-Type": "text/plain", "Dynamic": "Author",
			}
			text := ""
			for _, needed := range []string{"Metadata-Version", "Name", "Version"} {
				if needed != name {
					text += needed + ": " + values[needed] + "\n"
				}
			}
			value := cmp.Or(values[name], "x")
			m, err := readMetadata(text + strings.Repeat(name+": "+value+"\n", times))
			if refused(t, err); (err == nil) != ok || ok && len(m.Values(name)) != times {
				t.Errorf("%s: %s %d times: want accepted %t, got %v", c.Test, name, times, ok, err)
			}
		}
	}
}

const (
	singleFields = "Metadata-Version Name Version Summary Description Description-Content-Type Keywords Home-page " +
		"Download-URL Author Author-email Maintainer Maintainer-email License License-Expression Requires-Python"
	manyFields = "Platform Supported-Platform Classifier License-File Provides-Extra Requires-Dist Requires-External " +
		"Project-URL Provides-Dist Obsoletes-Dist Requires Provides Obsoletes Dynamic Import-Name Import-Namespace"
)

// metadataRules say how each case of a vector is judged here: by a function, or
// not, and then why not. The name of a rule that ends in * is a prefix.
type metadataRule struct {
	test  string
	judge func(*testing.T, metadataCase)
	why   string
}

const (
	python    = "a Python object's behaviour, which no file shows"
	elsewhere = "the value is judged by what uploads it, which parses it"
	unknown   = "a field that nobody defined is kept here, and no upload has a place for it"
	unshown   = "the vector does not show the values"
	writing   = "metadata are never written here"
)

func packagingRules() []metadataRule {
	return []metadataRule{
		{"TestRawMetadata::test_non_repeating_fields_only_once", repeated(true, 1, singleFields), ""},
		{"TestRawMetadata::test_non_repeating_fields_repeated", repeated(false, 2, singleFields), ""},
		{"TestRawMetadata::test_repeating_fields_only_once", repeated(true, 1, manyFields), ""},
		{"TestRawMetadata::test_repeating_fields_repeated", repeated(true, 2, manyFields), ""},
		{"TestRawMetadata::test_header_mojibake", lines("2.5", false, "Author: \xc0mie\n"), ""},
		{"TestRawMetadata::test_description", lines("2.5", true, "\nhello", "description: hello\n"), ""},
		{"TestRawMetadata::test_description_non_utf8", lines("2.5", false, "\n\xc0mie"), ""},
		{"TestRawMetadata::test_description_multiple", func(t *testing.T, c metadataCase) {
			for _, pair := range c.lists(t) {
				lines("2.5", false, pair[0].(string))(t, c)
			}
		}, ""},
		{"TestRawMetadata::test_description_multipart_payload",
			lines("2.5", false, "Content-Type: multipart/mixed; boundary=x\n\n--x\n\n--x--\n"), ""},
		{"TestRawMetadata::test_lowercase_keys", lines("2.5", true, "AUTHOR: me\n"), ""},
		{"TestRawMetadata::test_str_input", lines("2.5", true, "Author: Ольга\n"), ""},
		{"TestRawMetadata::test_complete", nil, "TestEveryFieldOfTheSpecificationIsRead"},
		{"TestRawMetadata::*", nil, elsewhere},
		{"TestInvalidMetadata::*", nil, python},
		{"TestExceptionGroup::*", nil, python},
		{"TestMetadata::test_from_email_deduplicates_unparsed_required_fields",
			func(t *testing.T, c metadataCase) {
				for _, pair := range c.lists(t) {
					text := strings.Replace(pair[0].(string), "Version: 2.6", "Version: 2.4", 1)
					if _, err := readMetadata(text); refused(t, err) != rule.MetadataForm {
						t.Errorf("%s: %q: got %v", c.Test, text, err)
					}
				}
			}, ""},
		{"TestMetadata::test_from_email_wraps_description_content_type_parse_errors",
			field("Description-Content-Type"), ""},
		{"TestMetadata::test_from_email_description_content_type_lowercase_charset",
			lines("2.5", true, "Description-Content-Type: text/plain; charset=utf-8\n"), ""},
		{"TestMetadata::test_from_email_empty_import_name", lines("2.5", true, "Import-Name:\n"), ""},
		{"TestMetadata::test_from_email_empty_metadata_uses_from_email_error_message",
			func(t *testing.T, c metadataCase) {
				if _, err := readMetadata(""); refused(t, err) != rule.MetadataForm {
					t.Errorf("%s: got %v", c.Test, err)
				}
			}, ""},
		{"TestMetadata::test_from_email_validate_returns_valid_metadata", lines("2.5", true, ""), ""},
		{"TestMetadata::test_from_email*", nil, unknown},
		{"TestMetadata::test_required_fields_missing", func(t *testing.T, c metadataCase) {
			for _, line := range strings.SplitAfter(minimal("2.5", ""), "\n")[:3] {
				text := strings.Replace(minimal("2.5", ""), line, "", 1)
				if _, err := readMetadata(text); refused(t, err) == "" {
					t.Errorf("%s: read without %q", c.Test, line)
				}
			}
		}, ""},
		{"TestMetadata::test_metadata_version_field_introduction", metadataVersions("Dynamic: Author\n"), ""},
		{"TestMetadata::test_metadata_version_field_introduction_mismatch", metadataVersions("Dynamic: Author\n"), ""},
		{"TestMetadata::test_valid_metadata_version", metadataVersions(""), ""},
		{"TestMetadata::test_invalid_metadata_version", metadataVersions(""), ""},
		{"TestMetadata::test_invalid_summary", field("Summary"), ""},
		{"TestMetadata::test_valid_description_content_type", field("Description-Content-Type"), ""},
		{"TestMetadata::test_invalid_description_content_type", field("Description-Content-Type"), ""},
		{"TestMetadata::test_invalid_charset_error_message",
			lines("2.5", false, "Description-Content-Type: text/plain; charset=iso-8859-1\n"), ""},
		{"TestMetadata::test_invalid_dynamic_value", lines("2.5", false, "Dynamic: no-such-field\n"), ""},
		{"TestMetadata::test_disallowed_dynamic", field("Dynamic"), ""},
		{"TestMetadata::test_valid_license_files", func(t *testing.T, c metadataCase) { licenseFiles(t, c, true) }, ""},
		{"TestMetadata::test_invalid_license_files", func(t *testing.T, c metadataCase) { licenseFiles(t, c, false) }, ""},
		{"TestMetadata::test_valid_requires_python", field("Requires-Python"), ""},
		{"TestMetadata::test_missing_version", nil, "TestMetadata::test_required_fields_missing"},
		{"TestMetadata::test_single_value_unvalidated_attribute", nil, "test_non_repeating_fields_only_once"},
		{"TestMetadata::test_multi_value_unvalidated_attribute", nil, "test_repeating_fields_repeated"},
		{"TestMetadata::test_raw*", nil, python},
		{"TestMetadata::test_caching", nil, python},
		{"TestMetadata::test_from_raw_validate", nil, python},
		{"TestMetadata::test_required_fields", nil, python},
		{"TestMetadata::test_optional_defaults_to_none", nil, python},
		{"TestMetadata::test_valid_license_expression", nil, elsewhere},
		{"TestMetadata::test_invalid_license_expression", nil, elsewhere},
		{"TestMetadata::test_invalid_import_names*", nil, elsewhere},
		{"TestMetadata::*", nil, unshown},
		{"TestMetadataWriting::test_headers_fold_every_line_boundary", func(t *testing.T, c metadataCase) {
			for _, boundary := range c.texts(t) {
				if boundary == "\r\n" {
					continue // that is the end of a line here, and what follows a field that all see
				}
				lines("2.5", false, "Author: me"+boundary+"Requires-Dist: injected\n")(t, c)
			}
		}, ""},
		{"TestMetadataWriting::*", nil, writing},
	}
}

func warehouseRules() []metadataRule {
	return []metadataRule{
		{"TestParse::test_valid_from_file_2_4", lines("2.4", true, "License-File: Something\nLicense-File: Something Else\n"), ""},
		{"TestParse::test_valid_from_file_2_5", lines("2.5", true, "Import-Name: widget\nImport-Namespace: gadget\n"), ""},
		{"TestParse::*", nil, "the upload's form"},
		{"TestValidation::test_invalid_metdata_version", func(t *testing.T, c metadataCase) {
			if _, err := readMetadata(minimal("100000.0", "")); refused(t, err) != rule.MetadataVersion {
				t.Errorf("%s: got %v", c.Test, err)
			}
		}, ""},
		{"TestValidation::test_length_is_limited", lines("2.5", false, "Summary: "+strings.Repeat("a", 513)+"\n"), ""},
		{"TestValidation::test_valid_dynamic", lines("2.5", true, "Dynamic: keywords\nDynamic: author\n"), ""},
		{"TestValidation::test_invalid_dynamic", lines("2.5", false, "Dynamic: Invalid\n"), ""},
		{"TestValidation::test_version_cannot_contain_local", nil, "other indexes take them: Version.IsLocal"},
		{"TestValidation::*", nil, elsewhere},
		{"TestFromFormData::*", nil, "the upload's form"},
		{"test_normalize_project_url_label", nil, "the index's pages"},
	}
}

// metadataVersions gives the case's texts as Metadata-Version.
func metadataVersions(more string) func(*testing.T, metadataCase) {
	return func(t *testing.T, c metadataCase) {
		for _, version := range c.texts(t) {
			// packaging knows 2.6, the index does not.
			want := len(c.Raises) == 0 && version != "2.6"
			_, err := readMetadata(minimal(version, more))
			if no := refused(t, err); (err == nil) != want || !want && no != rule.MetadataVersion {
				t.Errorf("%s: %s: want accepted %t, got %v", c.Test, version, want, err)
			}
		}
	}
}

func licenseFiles(t *testing.T, c metadataCase, ok bool) {
	for _, files := range c.lists(t) {
		for _, file := range files {
			lines("2.5", ok, "License-File: "+file.(string)+"\n")(t, c)
		}
	}
}

func TestMetadataVectors(t *testing.T) {
	for file, rules := range map[string][]metadataRule{
		"metadata_cases.json": packagingRules(), "metadata_cases_warehouse.json": warehouseRules(),
	} {
		var vector struct{ Tests []metadataCase }
		decode(t, &vector, "python-dists", file)
		used := map[string]bool{}
		for _, c := range vector.Tests {
			i := slices.IndexFunc(rules, func(r metadataRule) bool {
				prefix, ok := strings.CutSuffix(r.test, "*")
				return r.test == c.Test || ok && strings.HasPrefix(c.Test, prefix)
			})
			if i < 0 {
				t.Errorf("%s: %s: no rule says how it is judged", file, c.Test)
				continue
			}
			if used[rules[i].test] = true; rules[i].judge != nil {
				rules[i].judge(t, c)
			}
		}
		for _, r := range rules {
			if !used[r.test] {
				t.Errorf("%s: %s: no case has this rule (%s)", file, r.test, r.why)
			}
		}
	}
}

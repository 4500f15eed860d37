package dist

import (
	"mime"
	"slices"
	"strings"
	"unicode/utf8"
)

// fieldRule is what the specification says of one field.
type fieldRule struct {
	name  string
	since string                    // the version that brought it
	many  bool                      // whether it may stand more than once
	early bool                      // common tools write it before its time, and drop it in the upload
	fault func(value string) string // what is wanted of a value that has it not, or nothing
}

// The fields of core metadata 1.0 to 2.5, each with what packaging.metadata and
// Warehouse demand of it. A new rule is one new row.
//
// https://packaging.python.org/specifications/core-metadata
func fieldRules() []fieldRule {
	return []fieldRule{
		{name: "Metadata-Version", since: "1.0"},
		{name: "Name", since: "1.0", fault: notName},
		{name: "Version", since: "1.0", fault: notPEP440},
		{name: "Platform", since: "1.0", many: true},
		{name: "Summary", since: "1.0", fault: notSummary},
		{name: "Description", since: "1.0"},
		{name: "Keywords", since: "1.0"},
		{name: "Home-page", since: "1.0"},
		{name: "Author", since: "1.0"},
		{name: "Author-email", since: "1.0"},
		{name: "License", since: "1.0"},
		{name: "Supported-Platform", since: "1.1", many: true},
		{name: "Download-URL", since: "1.1"},
		{name: "Classifier", since: "1.1", many: true},
		{name: "Requires", since: "1.1", many: true},
		{name: "Provides", since: "1.1", many: true},
		{name: "Obsoletes", since: "1.1", many: true},
		{name: "Maintainer", since: "1.2"},
		{name: "Maintainer-email", since: "1.2"},
		{name: "Requires-Dist", since: "1.2", many: true},
		{name: "Provides-Dist", since: "1.2", many: true},
		{name: "Obsoletes-Dist", since: "1.2", many: true},
		{name: "Requires-Python", since: "1.2"},
		{name: "Requires-External", since: "1.2", many: true},
		{name: "Project-URL", since: "1.2", many: true},
		{name: "Description-Content-Type", since: "2.1", fault: notContentType},
		{name: "Provides-Extra", since: "2.1", many: true, fault: notName},
		{name: "Dynamic", since: "2.2", many: true, fault: notDynamic},
		{name: "License-Expression", since: "2.4"},
		{name: "License-File", since: "2.4", many: true, early: true, fault: notLicenseFile},
		{name: "Import-Name", since: "2.5", many: true},
		{name: "Import-Namespace", since: "2.5", many: true},
	}
}

func notName(value string) string {
	if isProjectName(value) {
		return ""
	}
	return "a name (PEP 508)"
}

func notPEP440(value string) string {
	if _, err := ParseVersion(value); err == nil {
		return ""
	}
	return "a version (PEP 440)"
}

func notSummary(value string) string {
	if !strings.Contains(value, "\n") && utf8.RuneCountInString(value) <= 512 {
		return ""
	}
	return "one line of at most 512 characters"
}

// notContentType is packaging.metadata's rule: one of three types, in UTF-8, and
// Markdown of one of two variants.
func notContentType(value string) string {
	const want = "text/plain, text/x-rst or text/markdown, in UTF-8"
	kind, params, err := mime.ParseMediaType(value)
	if err != nil || !slices.Contains([]string{"text/plain", "text/x-rst", "text/markdown"}, kind) {
		return want
	}
	if charset, ok := params["charset"]; ok && !strings.EqualFold(charset, "utf-8") {
		return want
	}
	variant, ok := params["variant"]
	if ok && kind == "text/markdown" && variant != "GFM" && variant != "CommonMark" {
		return "the variant GFM or CommonMark"
	}
	return ""
}

// notDynamic wants a field that a wheel may have otherwise than its sdist.
func notDynamic(value string) string {
	for _, f := range fieldRules() {
		fixed := f.name == "Metadata-Version" || f.name == "Name" || f.name == "Version"
		if strings.EqualFold(f.name, value) && !fixed {
			return ""
		}
	}
	return "a field that can be dynamic"
}

func notLicenseFile(value string) string {
	if memberFault(value) == "" && !strings.Contains(value, "*") {
		return ""
	}
	return "a relative path"
}

package dist

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/distgate/distgate/staging/rule"
)

// PyPI does not take every platform tag: each of those it takes has a definition
// of what runs there (warehouse/forklift/legacy.py). Versions of macOS that are not
// out yet are let pass.
func isIndexPlatform(tag string) bool {
	const machines = `x86_64|i686|aarch64|armv7l|ppc64le|s390x|riscv64`
	const apple = `ppc|ppc64|i386|x86_64|arm64|intel|fat|fat3|fat64|universal|universal2`
	return slices.ContainsFunc([]string{
		`any|win32|win_arm64|win_amd64|win_ia64|linux_armv6l|linux_armv7l`,
		`manylinux(?:1|2010)_(?:x86_64|i686)`,
		`manylinux2014_(?:x86_64|i686|aarch64|armv7l|ppc64|ppc64le|s390x)`,
		`manylinux_\d+_\d+_(?:` + machines + `|ppc64)`,
		`musllinux_\d+_\d+_(?:` + machines + `)`,
		`macosx_10_\d+_(?:` + apple + `)`,
		`macosx_(?:1[1-5]|2[6-9]|[3-9]\d)_0_(?:` + apple + `)`,
		`ios_\d+_\d+_(?:arm64|x86_64)_(?:iphoneos|iphonesimulator)`,
		`android_\d+_(?:armeabi_v7a|arm64_v8a|x86|x86_64)`,
		`pyemscripten_\d+_\d+_wasm32`,
	}, func(form string) bool { return regexp.MustCompile(`^(?:` + form + `)$`).MatchString(tag) })
}

// of is what there is to say of the values of some fields.
func of(fault func(value string) string, fields ...string) func(Metadata) string {
	return func(m Metadata) string {
		var all []string
		for _, field := range fields {
			for _, value := range m.Values(field) {
				// UNKNOWN is what old tools wrote for nothing; the index drops it.
				if what := fault(value); what != "" && value != "UNKNOWN" && value != "" {
					all = append(all, field+": "+what)
				}
			}
		}
		return strings.Join(all, "; ")
	}
}

// indexRows are what PyPI wants of metadata beyond the specification
// (warehouse/forklift/metadata.py, warehouse/utils/readme.py).
func indexRows() []row[Metadata] {
	return []row[Metadata]{
		{rule.IndexMetadata, rule.Refuse, "requirements (PEP 508) without an address of their own",
			of(requirementFault, "Requires-Dist", "Provides-Dist", "Obsoletes-Dist")},
		{rule.IndexMetadata, rule.Refuse, "version specifiers (PEP 440)", of(specifierFault, "Requires-Python")},
		{rule.IndexMetadata, rule.Refuse, "addresses of mail, NAME@HOST",
			of(mailFault, "Author-email", "Maintainer-email")},
		{rule.IndexMetadata, rule.Look, "", of(oddMail, "Author-email", "Maintainer-email")},
		{rule.IndexMetadata, rule.Refuse, "addresses that begin with https:// or http://",
			of(webFault, "Home-page", "Download-URL")},
		{rule.IndexMetadata, rule.Refuse, "LABEL, URL with a label of at most 32 characters",
			of(labelFault, "Project-URL")},
		{rule.IndexMetadata, rule.Refuse, "one Project-URL of each label", labelsFault},
		{rule.IndexMetadata, rule.Refuse, "names that can be imported (PEP 794)", of(importFault, "Import-Name", "Import-Namespace")},
		{rule.IndexClassifier, rule.Refuse, "classifiers that the index takes", of(privateClassifier, "Classifier")},
		{rule.IndexClassifier, rule.Refuse, "classifiers that the index takes", of(deprecatedClassifier, "Classifier")},
		{rule.IndexClassifier, rule.Look, "", of(unknownClassifier, "Classifier")},
		{rule.LicenseExpression, rule.Refuse, "an SPDX license expression", of(licenseFault, "License-Expression")},
		{rule.LicenseExpression, rule.Look, "", of(unknownLicense, "License-Expression")},
		{rule.LicenseExpression, rule.Remark, "", of(deprecatedLicense, "License-Expression")},
		{rule.IndexMetadata, rule.Refuse, "one of License and License-Expression", func(m Metadata) string {
			if m.value("License-Expression") != "" && m.value("License") != "" {
				return "both"
			}
			return ""
		}},
	}
}

// requirement is a name, extras, specifiers and a marker; specifier one of those.
var (
	requirement = regexp.MustCompile(`^([A-Za-z0-9._-]*[A-Za-z0-9])\s*` +
		`(\[\s*(?:[A-Za-z0-9][\w.-]*\s*(?:,\s*[A-Za-z0-9][\w.-]*\s*)*)?\])?\s*([^;]*)(?:;\s*(\S.*))?$`)
	specifier  = regexp.MustCompile(`^(===|~=|==|!=|<=|>=|<|>)\s*(\S+)$`)
	identifier = regexp.MustCompile(`^[\p{L}\p{Nl}_][\p{L}\p{Nl}\p{M}\p{Nd}\p{Pc}]*$`)
)

// requirementFault reads NAME[EXTRAS] SPECIFIERS; MARKER.
func requirementFault(text string) string {
	parts := requirement.FindStringSubmatch(strings.Join(strings.Fields(text), " "))
	switch {
	case parts == nil || !isProjectName(parts[1]):
		return "what is no requirement: " + text
	case strings.HasPrefix(parts[3], "@"):
		return "a dependency by its own address: " + text
	}
	specifiers := strings.TrimSpace(parts[3])
	if inner, ok := strings.CutPrefix(specifiers, "("); ok {
		specifiers, ok = strings.CutSuffix(inner, ")")
		if !ok {
			return "what is no requirement: " + text
		}
	}
	if parts[4] != "" && markerFault(parts[4]) != "" {
		return "what is no marker: " + parts[4]
	}
	return specifierFault(specifiers)
}

// specifierFault reads specifiers such as ">=3.9, !=3.10.*". None is one that
// admits every version.
func specifierFault(text string) string {
	for one := range strings.SplitSeq(text, ",") {
		one = strings.TrimSpace(one)
		parts := specifier.FindStringSubmatch(one)
		if one == "" {
			continue
		}
		if parts == nil {
			return "what is no specifier: " + one
		}
		version := parts[2]
		if parts[1] == "==" || parts[1] == "!=" {
			version = strings.TrimSuffix(version, ".*")
		}
		if _, err := ParseVersion(version); err != nil && parts[1] != "===" {
			return "a specifier with no version: " + one
		}
	}
	return ""
}

// importFault reads NAME.NAME, with "; private" behind it or not.
func importFault(text string) string {
	name, private, marked := strings.Cut(text, ";")
	for part := range strings.SplitSeq(strings.TrimRight(name, " \t"), ".") {
		if !identifier.MatchString(part) || slices.Contains(keywords, part) {
			return "what no name is: " + text
		}
	}
	if marked && strings.TrimSpace(private) != "private" {
		return "what is not private: " + text
	}
	return ""
}

// keywords are those of Python 3.
var keywords = strings.Fields(`False None True and as assert async await break class continue def del elif else except
	finally for from global if import in is lambda nonlocal not or pass raise return try while with yield`)

// What of an address of mail is no part of it, and the forms of its two halves
// (email_validator of Python, without a look at the DNS).
var (
	mailAside = regexp.MustCompile(`\([^()"]*\)|"[^"]*"`)
	mailNamed = regexp.MustCompile(`^[^<>@]*<([^<>\s]*)>$`)
	mailUser  = regexp.MustCompile("^" + mailAtom + "(?:\\." + mailAtom + ")*$")
	mailHost  = regexp.MustCompile(`^(?:` + hostLabel + `\.)+` + hostLabel + `$`)
)

const (
	mailAtom  = "[\\w!#$%&'*+/=?^`{|}~\\x{80}-\\x{10ffff}-]+"
	hostLabel = `[a-zA-Z0-9\x{80}-\x{10ffff}](?:[a-zA-Z0-9\x{80}-\x{10ffff}-]*[a-zA-Z0-9\x{80}-\x{10ffff}])?`
)

// mailFault is of an address USER@HOST or NAME <USER@HOST>. The index looks at none
// where there are several.
func mailFault(text string) string {
	address, odd := mailOf(text)
	user, host, _ := strings.Cut(address, "@")
	reaches := mailUser.MatchString(user) && mailHost.MatchString(host) && len(address) <= 254 && !privateHost(host)
	if odd || address == "" || reaches {
		return ""
	}
	return text
}

// oddMail is of text in which only the parser of Python knows what the address is.
func oddMail(text string) string {
	if _, odd := mailOf(text); odd {
		return "what may be an address or none: " + text
	}
	return ""
}

// mailOf takes the address out of the text, or nothing of several.
func mailOf(text string) (address string, odd bool) {
	quoted := strings.Contains(text, `"`)
	text = strings.TrimSpace(mailAside.ReplaceAllString(text, ""))
	parts := strings.Split(text, ",")
	switch {
	case strings.ContainsAny(text, `;:[]\"()`) || len(parts) > 1 && strings.TrimSpace(parts[1]) == "":
		return "", true
	case len(parts) > 1:
		return "", false
	}
	if named := mailNamed.FindStringSubmatch(text); named != nil {
		text, quoted = named[1], false
	}
	user, host, mail := strings.Cut(text, "@")
	odd = strings.ContainsAny(text, "<>") || quoted ||
		mail && (user == "" || host == "" || strings.ContainsAny(text, " \t") || strings.Contains(host, "@") ||
			strings.Contains(strings.ToLower(host), "xn--"))
	return text, odd
}

// privateHost tells of names that no mail reaches: with a number at their end, of
// networks of their own, too long, or with a mark of IDNA that is none.
func privateHost(host string) bool {
	labels := strings.Split(strings.ToLower(host), ".")
	last := labels[len(labels)-1]
	return last[len(last)-1] >= '0' && last[len(last)-1] <= '9' || len(host) > 253 ||
		slices.Contains(strings.Fields("arpa invalid local localhost onion test"), last) ||
		slices.ContainsFunc(labels, func(label string) bool {
			return len(label) > 63 || len(label) > 3 && label[2:4] == "--"
		})
}

// webFault wants a scheme of the web, no port beyond the last, and no brackets behind
// the host. The index escapes whatever else may not stand in an address (rfc3986 of
// Python).
func webFault(text string) string {
	form := webForm.FindStringSubmatch(text)
	if form == nil || strings.ContainsAny(form[2], "[]") {
		return text
	}
	if _, port, found := strings.Cut(webHost.FindString(form[1]), ":"); found {
		if n, err := strconv.Atoi(port); err != nil || n > 65535 {
			return text
		}
	}
	return ""
}

var (
	webForm = regexp.MustCompile(`^(?i:https?):(?://([^\\/?#]*))?([^#]*)`)
	webHost = regexp.MustCompile(`^[\w.~!$&'()*+,;=-]*:\d{1,5}$`)
)

// labelsFault is of labels that stand twice.
func labelsFault(m Metadata) string {
	seen := map[string]bool{}
	for _, value := range m.Values("Project-URL") {
		label, _, _ := strings.Cut(value, ",")
		if label = strings.TrimSpace(label); seen[label] {
			return "the label " + label + " twice"
		}
		seen[label] = true
	}
	return ""
}

func labelFault(text string) string {
	label, address, ok := strings.Cut(text, ",")
	if label = strings.TrimSpace(label); !ok || label == "" || utf8.RuneCountInString(label) > 32 {
		return text
	}
	return webFault(strings.TrimSpace(address))
}

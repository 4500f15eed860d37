package pypitest

import (
	"cmp"
	"fmt"
	"maps"
	"mime"
	"net/mail"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	pep440 "github.com/aquasecurity/go-pep440-version"
)

// metadata is the core metadata of a form. Warehouse believes the form, not
// the file.
type metadata struct {
	name           string
	version        pep440.Version
	requiresPython string              // normalised
	values         map[string][]string // by form field; project_urls and keywords as they were sent
}

func (m metadata) one(field string) string {
	if v := m.values[field]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// keywords are separated by commas, however they were sent.
func (m metadata) keywords() string {
	words := strings.Split(m.one("keywords"), ",")
	for i := range words {
		words[i] = strings.TrimSpace(words[i])
	}
	return strings.Join(words, ", ")
}

// fault is one thing wrong with the metadata, filed under the field as core
// metadata spells it.
type fault struct{ field, message string }

// metadataField is a field of core metadata, and how it comes in a form.
type metadataField struct {
	form  string // the form's name for it
	name  string // core metadata's name for it, in lower case
	list  bool   // may come several times
	added string // first metadata version that has it
	judge func(values []string) (message string)
}

func metadataVersions() []string {
	return []string{"1.0", "1.1", "1.2", "2.1", "2.2", "2.3", "2.4", "2.5"}
}

func metadataFields() []metadataField {
	return []metadataField{
		{"metadata_version", "metadata-version", false, "1.0", nil},
		{"name", "name", false, "1.0", nil},
		{"version", "version", false, "1.0", nil},
		{"dynamic", "dynamic", true, "2.2", judgeDynamic},
		{"platform", "platform", true, "1.0", nil},
		{"supported_platform", "supported-platform", true, "1.1", nil},
		{"summary", "summary", false, "1.0", judgeSummary},
		{"description", "description", false, "1.0", nil},
		{"description_content_type", "description-content-type", false, "2.1", judgeContentType},
		{"keywords", "keywords", false, "1.0", nil},
		{"home_page", "home-page", false, "1.0", nil},
		{"download_url", "download-url", false, "1.1", nil},
		{"author", "author", false, "1.0", nil},
		{"author_email", "author-email", false, "1.0", nil},
		{"maintainer", "maintainer", false, "1.2", nil},
		{"maintainer_email", "maintainer-email", false, "1.2", nil},
		{"license", "license", false, "1.0", nil},
		{"license_expression", "license-expression", false, "2.4", judgeLicenseExpression},
		{"license_file", "license-file", true, "2.4", judgeLicenseFile},
		{"classifiers", "classifier", true, "1.1", nil},
		{"requires_dist", "requires-dist", true, "1.2", judgeRequiresDist},
		{"requires_python", "requires-python", false, "1.2", judgeRequiresPython},
		{"requires_external", "requires-external", true, "1.2", nil},
		{"project_urls", "project-url", true, "1.2", nil},
		{"provides_extra", "provides-extra", true, "2.1", judgeProvidesExtra},
		{"provides_dist", "provides-dist", true, "1.2", nil},
		{"obsoletes_dist", "obsoletes-dist", true, "1.2", nil},
		{"import_name", "import-name", true, "2.5", judgeImportName},
		{"import_namespace", "import-namespace", true, "2.5", judgeImportNamespace},
		{"requires", "requires", true, "1.1", nil},
		{"provides", "provides", true, "1.1", nil},
		{"obsoletes", "obsoletes", true, "1.1", nil},
	}
}

// parseMetadata reads the metadata in three steps, each of which tells all of
// its faults and keeps the next from being taken: the form's values, what the
// specification says of each field, what PyPI wants beyond it.
func parseMetadata(f *form) (metadata, []fault) {
	m := metadata{values: map[string][]string{}}
	var faults []fault
	for _, field := range metadataFields() {
		values := f.all(field.form)
		switch {
		case len(values) == 0 || len(values) == 1 && values[0] == "":
		case !field.list && len(values) > 1, field.form == "project_urls" && projectURLs(values) == nil:
			faults = append(faults, fault{field.form, repr(field.form) + " has invalid data"})
		default:
			m.values[field.form] = values
		}
	}
	if len(faults) > 0 {
		return metadata{}, faults
	}
	if faults = m.enrich(); len(faults) > 0 {
		return metadata{}, faults
	}
	return m, m.judge()
}

// mostTelling is the fault that a client is told.
func mostTelling(faults []fault) fault {
	rank := func(f fault) int {
		if i := slices.Index([]string{"metadata-version", "name", "version"}, f.field); i >= 0 {
			return i
		}
		return 3
	}
	return slices.MinFunc(faults, func(a, b fault) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a.field, b.field))
	})
}

// enrich applies the specification.
func (m *metadata) enrich() []fault {
	var faults []fault
	version := m.one("metadata_version")
	age := slices.Index(metadataVersions(), version)
	if age < 0 {
		shown := repr(version)
		if m.values["metadata_version"] == nil {
			shown = "None"
		}
		faults = append(faults, fault{"metadata-version", shown + " is not a valid metadata version"})
	}
	faults = append(faults, m.enrichName()...)
	for _, field := range metadataFields() {
		values := m.values[field.form]
		if values == nil {
			continue
		}
		if age >= 0 && slices.Index(metadataVersions(), field.added) > age {
			message := fmt.Sprintf("%s introduced in metadata version %s, not %s", field.name, field.added, version)
			faults = append(faults, fault{field.name, message})
		} else if field.judge != nil {
			if message := field.judge(values); message != "" {
				faults = append(faults, fault{field.name, message})
			}
		}
	}
	m.requiresPython, _ = normalizeSpecifiers(m.one("requires_python"))
	return faults
}

func (m *metadata) enrichName() []fault {
	var faults []fault
	if m.name = m.one("name"); m.name == "" {
		faults = append(faults, fault{"name", "'name' is a required field"})
	} else if !isProjectName(m.name) {
		faults = append(faults, fault{"name", repr(m.name) + " is invalid for 'name'"})
	}
	var err error
	if given := m.one("version"); given == "" {
		faults = append(faults, fault{"version", "'version' is a required field"})
	} else if m.version, err = pep440.Parse(given); err != nil {
		faults = append(faults, fault{"version", repr(given) + " is invalid for 'version'"})
	}
	return faults
}

func judgeSummary(values []string) string {
	if strings.ContainsAny(values[0], "\n\r\v\f\x1c\x1d\x1e\u0085\u2028\u2029") {
		return "'summary' must be a single line"
	}
	return ""
}

func judgeContentType(values []string) string {
	const field = "'description-content-type'"
	types := []string{"text/markdown", "text/plain", "text/x-rst"}
	got, parameters, err := mime.ParseMediaType(values[0])
	if err != nil || !slices.Contains(types, got) {
		return fmt.Sprintf("%s must be one of %s, not %s", field, reprs(types), repr(values[0]))
	}
	if charset, ok := parameters["charset"]; ok && !strings.EqualFold(charset, "utf-8") {
		return fmt.Sprintf("%s can only specify the UTF-8 charset, not %s", field, repr(charset))
	}
	variants := []string{"CommonMark", "GFM"}
	variant, ok := parameters["variant"]
	if ok && got == "text/markdown" && !slices.Contains(variants, variant) {
		return fmt.Sprintf("valid Markdown variants for %s are %s, not %s", field, reprs(variants), repr(variant))
	}
	return ""
}

func judgeDynamic(values []string) string {
	for _, v := range values {
		v = strings.ToLower(v)
		if slices.Contains([]string{"name", "version", "metadata-version"}, v) {
			return repr(v) + " is not allowed as a dynamic field"
		}
		if !slices.ContainsFunc(metadataFields(), func(f metadataField) bool { return f.name == v }) {
			return repr(v) + " is not a valid dynamic field"
		}
	}
	return ""
}

func judgeProvidesExtra(values []string) string {
	for _, v := range values {
		if !isProjectName(v) {
			return repr(v) + " is invalid for 'provides-extra'"
		}
	}
	return ""
}

func judgeRequiresPython(values []string) string {
	if _, ok := normalizeSpecifiers(values[0]); !ok {
		return repr(values[0]) + " is invalid for 'requires-python'"
	}
	return ""
}

func judgeRequiresDist(values []string) string {
	for _, v := range values {
		if _, err := parseRequirement(v); err != nil {
			return repr(v) + " is invalid for 'requires-dist'"
		}
	}
	return ""
}

// judgeLicenseExpression judges the form of an expression: the names in it
// could be any.
func judgeLicenseExpression(values []string) string {
	const id = `(?:LicenseRef-)?[A-Za-z0-9.-]+\+?`
	tokens := strings.Fields(strings.NewReplacer("(", " ( ", ")", " ) ").Replace(values[0]))
	depth, wantLicense := 0, true
	for i, token := range tokens {
		operator := slices.Contains([]string{"AND", "OR", "WITH"}, strings.ToUpper(token))
		switch {
		case token == "(" && wantLicense:
			depth++
		case token == ")" && !wantLicense && depth > 0:
			depth--
		case operator && !wantLicense && i+1 < len(tokens):
			wantLicense = true
		case !operator && wantLicense && regexp.MustCompile(`^`+id+`$`).MatchString(token):
			wantLicense = false
		default:
			return repr(values[0]) + " is invalid for 'license-expression'"
		}
	}
	if depth != 0 || wantLicense {
		return repr(values[0]) + " is invalid for 'license-expression'"
	}
	return ""
}

func judgeLicenseFile(values []string) string {
	for _, v := range values {
		invalid := repr(v) + " is invalid for 'license-file', "
		switch {
		case strings.Contains(v, ".."):
			return invalid + "parent directory indicators are not allowed"
		case strings.Contains(v, "*"):
			return invalid + "paths must be resolved"
		case strings.HasPrefix(v, "/") || regexp.MustCompile(`^(?:[A-Za-z]:)?\\|^[A-Za-z]:/`).MatchString(v):
			return invalid + "paths must be relative"
		case strings.Contains(v, `\`) || path.Clean(v) != v:
			return invalid + "paths must use '/' delimiter"
		}
	}
	return ""
}

func judgeImportName(values []string) string { return judgeImports("import-name", values) }

func judgeImportNamespace(values []string) string { return judgeImports("import-namespace", values) }

func judgeImports(field string, values []string) string {
	for _, v := range values {
		name, private, semicolon := strings.Cut(v, ";")
		name = strings.TrimRight(name, " \t")
		for part := range strings.SplitSeq(name, ".") {
			if !isIdentifier(part) {
				return fmt.Sprintf("%s is invalid for %s; %s is not a valid identifier",
					repr(name), repr(field), repr(part))
			}
		}
		if semicolon && strings.TrimLeft(private, " \t") != "private" {
			return fmt.Sprintf("%s is invalid for %s; the only valid option is 'private'", repr(v), repr(field))
		}
	}
	return ""
}

func isIdentifier(s string) bool {
	first, _ := utf8.DecodeRuneInString(s)
	other := func(r rune) bool { return r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) }
	return s != "" && !unicode.IsDigit(first) && !strings.ContainsFunc(s, other)
}

// judge applies what PyPI wants beyond the specification.
func (m *metadata) judge() []fault {
	var faults []fault
	add := func(field, format string, args ...any) {
		faults = append(faults, fault{field, fmt.Sprintf(format, args...)})
	}
	if m.version.Local() != "" {
		add("version", "The use of local versions in '%s' is not allowed.", m.version)
	}
	if utf8.RuneCountInString(m.one("summary")) > 512 {
		add("summary", "'summary' field must be 512 characters or less.")
	}
	for _, field := range []string{"author_email", "maintainer_email"} {
		if address := parseAddress(m.one(field)); address != "" {
			if wrong := judgeAddress(address); wrong != "" {
				add(hyphened(field), "%s is not a valid email address: %s", repr(address), wrong)
			}
		}
	}
	for _, c := range slices.Sorted(slices.Values(m.values["classifiers"])) {
		if !isClassifier(c) {
			add("classifier", "%s is not a valid classifier.", repr(c))
		}
	}
	for _, field := range []string{"home_page", "download_url"} {
		if u := m.one(field); u != "" && !isWebAddress(u) {
			add(hyphened(field), "%s is not a valid url.", repr(u))
		}
	}
	for _, v := range m.values["dynamic"] {
		if strings.EqualFold(v, "dynamic") {
			add("dynamic", "Dynamic field 'dynamic' is not a valid dynamic field.")
		}
	}
	faults = append(faults, m.judgeProjectURLs()...)
	faults = append(faults, m.judgeDependencies()...)
	if m.one("license") != "" && m.one("license_expression") != "" {
		add("license", "License is deprecated when License-Expression is present. "+
			"Only License-Expression should be present.")
	}
	return faults
}

// hyphened is a form's name for a field as core metadata has it.
func hyphened(field string) string { return strings.ReplaceAll(field, "_", "-") }

func (m *metadata) judgeProjectURLs() []fault {
	var faults []fault
	urls := projectURLs(m.values["project_urls"])
	for _, label := range slices.Sorted(maps.Keys(urls)) {
		message := ""
		switch u := urls[label]; {
		case label == "":
			message = "Must have a label"
		case utf8.RuneCountInString(label) > 32:
			message = repr(label) + " must be 32 characters or less."
		case u == "":
			message = "Must have a URL"
		case !isWebAddress(u):
			message = repr(u) + " is not a valid url"
		default:
			continue
		}
		faults = append(faults, fault{"project-url", message})
	}
	return faults
}

func (m *metadata) judgeDependencies() []fault {
	var faults []fault
	for _, field := range []string{"provides_dist", "obsoletes_dist", "requires_dist"} {
		name := hyphened(field)
		for _, v := range m.values[field] {
			r, err := parseRequirement(v)
			if err != nil {
				faults = append(faults, fault{name, fmt.Sprintf("%s is invalid: %s", repr(v), err)})
			} else if r.direct {
				faults = append(faults, fault{name, "Can't have direct dependency: " + v})
			}
		}
	}
	return faults
}

// projectURLs are the URLs by label, nil if a label comes twice.
func projectURLs(values []string) map[string]string {
	urls := map[string]string{}
	for _, v := range values {
		label, u, _ := strings.Cut(v, ",")
		label = strings.TrimSpace(label)
		if _, twice := urls[label]; twice {
			return nil
		}
		urls[label] = strings.TrimSpace(u)
	}
	return urls
}

// parseAddress is the address in "Name <address>", or all of it.
func parseAddress(s string) string {
	if list, err := mail.ParseAddressList(s); err == nil && len(list) > 0 {
		return list[0].Address
	}
	if _, inner, ok := strings.Cut(s, "<"); ok {
		inner, _, _ = strings.Cut(inner, ">")
		return strings.TrimSpace(inner)
	}
	first, _, _ := strings.Cut(s, ",")
	return strings.TrimSpace(first)
}

func judgeAddress(address string) string {
	at := strings.LastIndex(address, "@")
	switch local, domain := address[:max(at, 0)], address[at+1:]; {
	case at < 0:
		return "An email address must have an @-sign."
	case local == "":
		return "There must be something before the @-sign."
	case domain == "":
		return "There must be something after the @-sign."
	case !strings.Contains(domain, "."):
		return "The part after the @-sign is not valid. It should have a period."
	case strings.ContainsAny(address, " \t\n"):
		return "The email address contains invalid characters."
	}
	return ""
}

// isWebAddress says whether PyPI would link to a URL.
func isWebAddress(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") &&
		!strings.ContainsAny(s, " \t\n<>\"{}|\\^`")
}

// isClassifier knows the first part of every classifier, and takes any behind
// it. Private ones are there to be refused.
func isClassifier(c string) bool {
	first, rest, ok := strings.Cut(c, " :: ")
	return c == "Typing" || ok && rest != "" && slices.Contains([]string{
		"Development Status", "Environment", "Framework", "Intended Audience", "License", "Natural Language",
		"Operating System", "Programming Language", "Topic", "Typing",
	}, first)
}

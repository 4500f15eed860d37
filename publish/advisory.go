package publish

import (
	"fmt"
	"net/url"
	"time"
)

// Advisory is a draft of an advisory for the databases that scanners read, in the
// OSV format (ossf.github.io/osv-schema). Its id is a placeholder, as
// github.com/pypa/advisory-database takes it from contributors.
type Advisory struct {
	SchemaVersion string        `json:"schema_version"`
	ID            string        `json:"id"`
	Modified      time.Time     `json:"modified"` // UTC, which OSV wants
	Published     time.Time     `json:"published"`
	Summary       string        `json:"summary"`
	Details       string        `json:"details"`
	Affected      []osvAffected `json:"affected"`
	References    []osvLink     `json:"references"`
}

type osvAffected struct {
	Package  osvPackage `json:"package"`
	Versions []string   `json:"versions"`
}

type osvPackage struct {
	Ecosystem string `json:"ecosystem"`
	Name      string `json:"name"`
	PURL      string `json:"purl"`
}

type osvLink struct {
	Type string `json:"type"`
	URL  string `json:"url"`
}

// Advisory drafts one for the release.
func (w Withdrawn) Advisory(project string) Advisory {
	version := w.Version.String()
	details := fmt.Sprintf("%s %s was withdrawn by its maintainers: %s", project, version, w.Reason)
	if w.Instead != "" {
		details += fmt.Sprintf("\n\nUse %s instead.", w.Instead)
	}
	return Advisory{SchemaVersion: "1.6.0", ID: "PYSEC-0000-" + project + "-" + version,
		Modified: w.Since.UTC(), Published: w.Since.UTC(),
		Summary: fmt.Sprintf("%s %s was withdrawn", project, version), Details: details,
		Affected: []osvAffected{{Package: osvPackage{"PyPI", project, "pkg:pypi/" + url.PathEscape(project)},
			Versions: []string{version}}},
		References: []osvLink{{"PACKAGE", "https://pypi.org/project/" + url.PathEscape(project) + "/" + url.PathEscape(version) + "/"}},
	}
}

// Note is a line for the release notes.
func (w Withdrawn) Note() string {
	text := fmt.Sprintf("%s was withdrawn on %s: %s.", w.Version, w.Since.Format(time.DateOnly), w.Reason)
	if w.Instead != "" {
		text += " Use " + w.Instead + " instead."
	}
	return text
}

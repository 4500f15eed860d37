package publish

import (
	"bytes"
	"io"
	"mime/multipart"
	"net/textproto"
	"slices"
	"strings"

	"github.com/distgate/distgate/staging/dist"
)

// formField is one row of the upload form: a field of core metadata, and the
// name that Warehouse's form has for it.
type formField struct {
	metadata, form string
	since          string // the metadata version before which Warehouse does not take it
}

// formFields are Warehouse's (forklift/metadata.py). What is not here is not
// sent: Warehouse would ignore it.
func formFields() []formField {
	return []formField{
		{metadata: "Metadata-Version", form: "metadata_version"},
		{metadata: "Name", form: "name"},
		{metadata: "Version", form: "version"},
		{metadata: "Platform", form: "platform"},
		{metadata: "Supported-Platform", form: "supported_platform"},
		{metadata: "Summary", form: "summary"},
		{metadata: "Description", form: "description"},
		{metadata: "Description-Content-Type", form: "description_content_type"},
		{metadata: "Keywords", form: "keywords"},
		{metadata: "Home-page", form: "home_page"},
		{metadata: "Download-URL", form: "download_url"},
		{metadata: "Author", form: "author"},
		{metadata: "Author-email", form: "author_email"},
		{metadata: "Maintainer", form: "maintainer"},
		{metadata: "Maintainer-email", form: "maintainer_email"},
		{metadata: "License", form: "license"},
		{metadata: "License-Expression", form: "license_expression"},
		{metadata: "License-File", form: "license_file", since: "2.4"},
		{metadata: "Classifier", form: "classifiers"},
		{metadata: "Requires-Python", form: "requires_python"},
		{metadata: "Requires-Dist", form: "requires_dist"},
		{metadata: "Requires-External", form: "requires_external"},
		{metadata: "Requires", form: "requires"},
		{metadata: "Provides-Dist", form: "provides_dist"},
		{metadata: "Provides-Extra", form: "provides_extra"},
		{metadata: "Provides", form: "provides"},
		{metadata: "Obsoletes-Dist", form: "obsoletes_dist"},
		{metadata: "Obsoletes", form: "obsoletes"},
		{metadata: "Project-URL", form: "project_urls"},
		{metadata: "Dynamic", form: "dynamic"},
		{metadata: "Import-Name", form: "import_name"},
		{metadata: "Import-Namespace", form: "import_namespace"},
	}
}

// pair is one value of a form field. A field with several values is repeated.
type pair struct{ name, value string }

// form is everything that an upload says of a file, in the order in which it
// is sent, but for the file itself. Of the digests PyPI wants one; the BLAKE2b that
// it keeps besides it makes itself.
func (p parcel) form() []pair {
	filetype, pyversion := "bdist_wheel", p.info.Filename.Python
	if p.info.Filename.Kind == dist.Sdist {
		filetype, pyversion = "sdist", "source"
	}
	form := []pair{
		{":action", "file_upload"},
		{"protocol_version", "1"},
		{"filetype", filetype},
		{"pyversion", pyversion},
		{"sha256_digest", p.file.Digest().Hex()},
		{"attestations", "[" + string(p.attestation) + "]"},
	}
	version := p.info.Metadata.MetadataVersion()
	for _, field := range formFields() {
		if version < field.since {
			continue
		}
		for _, value := range p.info.Metadata.Values(field.metadata) {
			form = append(form, pair{field.form, value})
		}
	}
	return form
}

// body is an upload as it goes over the wire, of which all but the file is in
// memory.
type body struct {
	io.Reader
	length int64
	media  string
}

// encode writes the form around the file's bytes, size of them.
func encode(form []pair, name string, file io.Reader, size int64) (body, error) {
	var around bytes.Buffer
	w := multipart.NewWriter(&around)
	for _, p := range form {
		if err := w.WriteField(p.name, p.value); err != nil {
			return body{}, err
		}
	}
	if _, err := w.CreatePart(textproto.MIMEHeader{
		"Content-Disposition": {`form-data; name="content"; filename="` + quote(name) + `"`},
		"Content-Type":        {"application/octet-stream"},
	}); err != nil {
		return body{}, err
	}
	cut := around.Len()
	if err := w.Close(); err != nil {
		return body{}, err
	}
	head, tail := around.Bytes()[:cut], around.Bytes()[cut:]
	return body{
		Reader: io.MultiReader(bytes.NewReader(head), file, bytes.NewReader(tail)),
		length: int64(around.Len()) + size,
		media:  w.FormDataContentType(),
	}, nil
}

// quote escapes a file name for a header. A distribution's name has nothing in
// it that needs it.
func quote(name string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\r", "", "\n", "").Replace(name)
}

// wheelsFirst is the order of upload: installers that come in between find
// wheels, and do not build from the sdist what they could have had built.
func wheelsFirst(parcels []parcel) {
	rank := func(p parcel) int {
		if p.info.Filename.Kind == dist.Wheel {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(parcels, func(a, b parcel) int { return rank(a) - rank(b) })
}

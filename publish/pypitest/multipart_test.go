package pypitest

import (
	"bytes"
	"io"
	"mime/multipart"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestPartNames is that a name reaches the checks as it was sent.
func TestPartNames(t *testing.T) {
	for _, test := range []struct{ header, name, filename string }{
		{`form-data; name="content"; filename="a.whl"`, "content", "a.whl"},
		{`form-data; name=content; filename=a.whl`, "content", "a.whl"},
		{`form-data; name="content"; filename="x/../a.whl"`, "content", "x/../a.whl"},
		{`form-data; name="content"; filename="x\y.whl"`, "content", `x\y.whl`},
		{`form-data; name="content"; filename="a\"b\\c.whl"`, "content", `a"b\c.whl`},
		{`form-data; name="content"; filename="a;b=c.whl"`, "content", "a;b=c.whl"},
		{"form-data; name=\"content\"; filename=\"a\x1f\x7f.whl\"", "content", "a\x1f\x7f.whl"},
		{`form-data; filename=""; name="a"`, "a", ""},
		{`form-data`, "", ""},
		{``, "", ""},
	} {
		body := "--b\r\nContent-Disposition: " + test.header + "\r\n\r\nvalue\r\n--b--\r\n"
		part, err := newParts(strings.NewReader(body), "b").next()
		if err != nil || part.name != test.name || part.filename != test.filename {
			t.Errorf("%s: got %+v, %v", test.header, part, err)
		}
	}
}

// readParts reads a form as fields, files too.
func readParts(body io.Reader, boundary string) (fields [][2]string, err error) {
	parts := newParts(body, boundary)
	for {
		part, err := parts.next()
		if err == io.EOF {
			return fields, nil
		}
		if err != nil {
			return nil, err
		}
		value, err := io.ReadAll(part)
		if err != nil {
			return nil, err
		}
		fields = append(fields, [2]string{part.name, string(value)})
	}
}

func TestBrokenForms(t *testing.T) {
	long := strings.Repeat("a", maxPartHeaders+1)
	for name, body := range map[string]string{
		"empty":                        "",
		"no boundary":                  "hello",
		"cut in the headers":           "--b\r\nContent-Disposition: form-data",
		"cut in a value":               "--b\r\nContent-Disposition: form-data; name=a\r\n\r\nvalue",
		"cut in a boundary":            "--b\r\nContent-Disposition: form-data; name=a\r\n\r\nvalue\r\n--",
		"a header too long":            "--b\r\nA: " + long + "\r\n\r\nvalue\r\n--b--",
		"a header longer than all":     "--b\r\nA: " + strings.Repeat("a", multipartBuffer+1) + "\r\n\r\nvalue\r\n--b--",
		"too many headers":             "--b\r\n" + strings.Repeat("A: b\r\n", maxPartHeaders/4+1) + "\r\nvalue\r\n--b--",
		"a value, then another border": "--b\r\nContent-Disposition: form-data; name=a\r\n\r\nvalue\r\n--c--\r\n",
	} {
		if fields, err := readParts(strings.NewReader(body), "b"); err == nil {
			t.Errorf("%s: want an error, got %v", name, fields)
		}
	}
}

// FuzzForm is that what a form says is what is read, wherever a value falls
// into the pieces that are read at once, and that nothing else does harm.
func FuzzForm(f *testing.F) {
	f.Add("summary", "A widget", []byte("--b\r\n\r\n\r\n--b--"))
	f.Add("content", "\r\n--b\r\n", []byte("--b--"))
	f.Fuzz(func(t *testing.T, name, value string, raw []byte) {
		readParts(bytes.NewReader(raw), "b")
		if strings.ContainsAny(name, "\"\\\r\n") || strings.TrimSpace(name) != name {
			return
		}
		var body bytes.Buffer
		form := multipart.NewWriter(&body)
		want := [][2]string{{"padding", strings.Repeat("x", multipartBuffer-len(value)%64)}, {name, value}, {"last", ""}}
		for _, field := range want {
			form.WriteField(field[0], field[1])
		}
		form.Close()
		got, err := readParts(&body, form.Boundary())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

package pypitest

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"
)

const (
	multipartBuffer = 256 << 10 // bytes of a form that are looked at at once
	maxPartHeaders  = 16 << 10  // bytes of the headers of one part
)

var errMalformedForm = errors.New("the form ends before its last boundary")

// parts reads a multipart/form-data body. The one of the standard library
// refuses some names and changes others; here they have to reach the checks as
// Python's parser hands them to Warehouse.
type parts struct {
	in        *bufio.Reader
	delimiter []byte // with the line break before it
}

// part is one field of a form: its headers, and its value to read.
type part struct {
	parts       *parts
	name        string
	filename    string // "" for text
	contentType string // "text/plain" if the part does not say
	ended       bool
}

func newParts(body io.Reader, boundary string) *parts {
	// The first boundary has no line break before it unless it gets one.
	in := io.MultiReader(strings.NewReader("\r\n"), body)
	return &parts{in: bufio.NewReaderSize(in, multipartBuffer), delimiter: []byte("\r\n--" + boundary)}
}

// next passes what is left of the part before, and is io.EOF behind the last.
func (p *parts) next() (*part, error) {
	if _, err := io.Copy(io.Discard, &part{parts: p}); err != nil {
		return nil, err
	}
	if _, err := p.in.Discard(len(p.delimiter)); err != nil {
		return nil, errMalformedForm
	}
	if rest, err := p.line(); err != nil || strings.HasPrefix(rest, "--") {
		return nil, io.EOF
	}
	next := &part{parts: p, contentType: "text/plain"}
	for left := maxPartHeaders; left > 0; {
		line, err := p.line()
		if err != nil {
			return nil, err
		}
		if line == "" {
			return next, nil
		}
		next.header(line)
		left -= len(line)
	}
	return nil, errTooMuch
}

// line is the next one, without its end. The last one may have none.
func (p *parts) line() (string, error) {
	line, err := p.in.ReadSlice('\n')
	switch {
	case err == bufio.ErrBufferFull:
		return "", errTooMuch
	case err == io.EOF && len(line) == 0:
		return "", errMalformedForm
	case err != nil && err != io.EOF:
		return "", err
	}
	return strings.TrimRight(string(line), "\r\n"), nil
}

// header takes what a form needs from a header line.
func (p *part) header(line string) {
	key, value, _ := strings.Cut(line, ":")
	switch strings.ToLower(strings.TrimSpace(key)) {
	case "content-type":
		p.contentType = strings.TrimSpace(value)
	case "content-disposition":
		for _, parameter := range splitParameters(value) {
			key, value, _ := strings.Cut(parameter, "=")
			switch strings.ToLower(strings.TrimSpace(key)) {
			case "name":
				p.name = unquote(value)
			case "filename":
				p.filename = unquote(value)
			}
		}
	}
}

// splitParameters splits at semicolons that stand outside of quotes.
func splitParameters(s string) []string {
	var list []string
	quoted, begin := false, 0
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '"' && (i == 0 || s[i-1] != '\\'):
			quoted = !quoted
		case s[i] == ';' && !quoted:
			list = append(list, s[begin:i])
			begin = i + 1
		}
	}
	return append(list, s[begin:])
}

func unquote(s string) string {
	s = strings.TrimSpace(s)
	if len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' {
		return strings.NewReplacer(`\\`, `\`, `\"`, `"`).Replace(s[1 : len(s)-1])
	}
	return s
}

// Read reads the value, up to the next boundary.
func (p *part) Read(into []byte) (int, error) {
	if p.ended {
		return 0, io.EOF
	}
	ahead, err := p.parts.in.Peek(multipartBuffer)
	n := len(ahead) - len(p.parts.delimiter) + 1
	if i := bytes.Index(ahead, p.parts.delimiter); i >= 0 {
		n, p.ended = i, i <= len(into)
	} else if err == io.EOF {
		return 0, errMalformedForm
	} else if err != nil {
		return 0, err
	}
	return p.parts.in.Read(into[:min(n, len(into))])
}

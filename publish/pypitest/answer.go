package pypitest

import (
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Pages that messages lead to.
const (
	helpPage         = "https://pypi.org/help/#"
	admins           = helpPage + "admin-intervention"
	naming           = helpPage + "project-name"
	storageLimits    = "https://docs.pypi.org/project-management/storage-limits#"
	troubleshooting  = "https://docs.pypi.org/trusted-publishers/troubleshooting/"
	coreMetadataSpec = "https://packaging.python.org/specifications/core-metadata"
	localVersionSpec = "https://packaging.python.org/en/latest/specifications/" +
		"version-specifiers/#local-version-identifiers"
	archiveGuide = "https://docs.pypi.org/archives"
)

// answer ends an upload: a status and what Warehouse has to say.
type answer struct {
	status   int
	message  string
	location string // for a redirect
}

// saying is an error in Warehouse's words, which begin in upper case and may
// end in a full stop.
type saying string

func (s saying) Error() string { return string(s) }

func say(format string, args ...any) error { return saying(fmt.Sprintf(format, args...)) }

// refuse is a 400, by far the most frequent answer.
func refuse(format string, args ...any) *answer {
	return &answer{status: http.StatusBadRequest, message: fmt.Sprintf(format, args...)}
}

// forbid is a 403.
func forbid(format string, args ...any) *answer {
	return &answer{status: http.StatusForbidden, message: fmt.Sprintf(format, args...)}
}

// send writes the answer. The old upload API tells its clients what is wrong in
// the reason phrase of the status line, and twine reads it there. Go's server
// writes reason phrases of its own, so that line is written to the connection
// itself, where there is one (HTTP/1), and the connection then closed.
func (a answer) send(w http.ResponseWriter, r *http.Request) {
	// A client that is still sending would not read an answer.
	io.Copy(io.Discard, r.Body)
	contentType, body := a.body(r.Header.Get("Accept"))
	if a.location != "" {
		w.Header().Set("Location", a.location)
	}
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	if a.status != http.StatusOK {
		if connection, _, err := http.NewResponseController(w).Hijack(); err == nil {
			defer connection.Close()
			a.write(connection, w.Header(), body)
			return
		}
	}
	w.WriteHeader(a.status)
	io.WriteString(w, body)
}

func (a answer) write(connection net.Conn, header http.Header, body string) {
	header.Set("Connection", "close")
	header.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	fmt.Fprintf(connection, "HTTP/1.1 %s\r\n", a.statusLine())
	header.Write(connection)
	io.WriteString(connection, "\r\n"+body)
}

// statusLine is status and message, in the characters that a status line may
// have (ISO 8859-1, no line break).
func (a answer) statusLine() string {
	latin1 := make([]byte, 0, len(a.message))
	for _, c := range a.message {
		switch {
		case c == '\r' || c == '\n':
			latin1 = append(latin1, ' ')
		case c > 0xff:
			latin1 = append(latin1, '?')
		default:
			latin1 = append(latin1, byte(c))
		}
	}
	return fmt.Sprintf("%d %s", a.status, latin1)
}

// code is the status line as text.
func (a answer) code() string {
	runes := make([]rune, 0, len(a.message))
	for _, b := range []byte(a.statusLine()) {
		runes = append(runes, rune(b))
	}
	return string(runes)
}

// body is the page that Pyramid makes of an HTTP exception, in the form that
// the client likes best: HTML, JSON or text.
func (a answer) body(accept string) (contentType, body string) {
	if a.status == http.StatusOK {
		return "text/html; charset=UTF-8", a.message
	}
	offers := append(acceptable(accept, "text/html", "application/json"), "text/plain")
	switch offers[0] {
	case "text/html":
		code := html.EscapeString(a.code())
		return "text/html; charset=UTF-8", "<html>\n <head>\n  <title>" + code + "</title>\n </head>\n" +
			" <body>\n  <h1>" + code + "</h1>\n  " + a.text("<br/>", html.EscapeString) + "\n </body>\n</html>"
	case "application/json":
		plain := func(s string) string { return s }
		raw, _ := json.Marshal(map[string]string{
			"message": a.text("\n", plain), "code": a.code(), "title": http.StatusText(a.status),
		})
		return "application/json", string(raw)
	default:
		plain := func(s string) string { return s }
		return "text/plain; charset=UTF-8", a.code() + "\n\n" + a.text("\n", plain)
	}
}

func (a answer) text(br string, escape func(string) string) string {
	return escape(a.explanation()) + br + br + "\n" + escape(a.message) + "\n\n"
}

// explanation is what Pyramid says of a status in general.
func (a answer) explanation() string {
	switch a.status {
	case http.StatusForbidden:
		return "Access was denied to this resource."
	case http.StatusConflict:
		return "There was a conflict when trying to complete your request."
	case http.StatusGone:
		return "This resource is no longer available.  No forwarding address is given."
	case http.StatusPermanentRedirect:
		return "The resource has been moved permanently; you should be redirected automatically."
	case http.StatusTooManyRequests:
		return "The action could not be performed because there were too many requests by the client."
	case http.StatusInternalServerError:
		return "The server has either erred or is incapable of performing the requested operation."
	default:
		return "The server could not comply with the request since it is either malformed " +
			"or otherwise incorrect."
	}
}

// writeJSON answers with JSON, and with a line break at its end.
func writeJSON(w http.ResponseWriter, status int, contentType string, body any) {
	raw, err := json.Marshal(body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	w.Write(append(raw, '\n'))
}

// writeMessage answers with the JSON object that has a message alone.
func writeMessage(w http.ResponseWriter, status int, message string) {
	writeJSON(w, status, plainJSON, map[string]string{"message": message})
}

// acceptable orders what is on offer by the client's Accept header, best
// first, and leaves out what it does not take. Without a header, or with one
// that says nothing, everything is acceptable in the order of the offer.
func acceptable(accept string, offers ...string) []string {
	type offer struct {
		name    string
		quality float64
	}
	if strings.TrimSpace(accept) == "" {
		return offers
	}
	var good []offer
	for _, name := range offers {
		if q := quality(accept, name); q > 0 {
			good = append(good, offer{name, q})
		}
	}
	names := make([]string, 0, len(good))
	for len(good) > 0 {
		best := 0
		for i := range good {
			if good[i].quality > good[best].quality {
				best = i
			}
		}
		names = append(names, good[best].name)
		good = append(good[:best:best], good[best+1:]...)
	}
	return names
}

// quality is how much the header likes a media type, from 0 to 1, by the most
// specific of its ranges.
func quality(accept, name string) float64 {
	major, _, _ := strings.Cut(name, "/")
	best, specific := 0.0, -1
	for item := range strings.SplitSeq(accept, ",") {
		mediaRange, q := parseRange(item)
		rank := -1
		switch mediaRange {
		case name:
			rank = 2
		case major + "/*":
			rank = 1
		case "*/*":
			rank = 0
		}
		if rank > specific {
			best, specific = q, rank
		}
	}
	return best
}

func parseRange(item string) (mediaRange string, q float64) {
	mediaRange, parameters, _ := strings.Cut(item, ";")
	q = 1
	for parameter := range strings.SplitSeq(parameters, ";") {
		key, value, _ := strings.Cut(strings.TrimSpace(parameter), "=")
		if parsed, err := strconv.ParseFloat(value, 64); strings.EqualFold(key, "q") && err == nil {
			q = parsed
		}
	}
	return strings.ToLower(strings.TrimSpace(mediaRange)), q
}

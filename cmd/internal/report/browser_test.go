package report

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// browser is a headless Chromium, spoken to by the DevTools protocol over the
// two pipes that --remote-debugging-pipe wants.
type browser struct {
	t       *testing.T
	to      *os.File
	from    *bufio.Reader
	session string
	last    int
	events  []event // of the page, since it was opened
}

type event struct {
	ID     int             `json:"id"`
	Method string          `json:"method"`
	Params json.RawMessage `json:"params"`
	Result json.RawMessage `json:"result"`
	Error  *struct{ Message string }
}

// openBrowser starts Chromium, which is required where peers are.
func openBrowser(t *testing.T) *browser {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil && os.Getenv("DISTGATE_PEERS") == "required" {
		t.Fatal(err)
	} else if err != nil {
		t.Skip("there is no chromium")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	in, to := pipe(t)
	from, out := pipe(t)
	c := exec.CommandContext(ctx, path, "--headless", "--no-sandbox", "--disable-gpu",
		"--disable-dev-shm-usage", "--hide-scrollbars", "--remote-debugging-pipe", "--user-data-dir="+profile(t), "about:blank")
	c.ExtraFiles = []*os.File{in, out} // 3 and 4
	c.WaitDelay = 5 * time.Second
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	in.Close()
	out.Close()
	b := &browser{t: t, to: to, from: bufio.NewReader(from)}
	t.Cleanup(func() {
		b.send("Browser.close", nil)
		_ = c.Wait()
		cancel()
		to.Close()
		from.Close()
	})
	b.attach()
	return b
}

// profile is a folder for Chromium, whose children may write to it for a moment
// after it has ended.
func profile(t *testing.T) string {
	folder, err := os.MkdirTemp("", "distgate-chromium-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for range 50 {
			if err = os.RemoveAll(folder); err == nil {
				return
			}
			time.Sleep(100 * time.Millisecond)
		}
		t.Error(err)
	})
	return folder
}

func pipe(t *testing.T) (r, w *os.File) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	return r, w
}

// attach opens a tab and asks for its events.
func (b *browser) attach() {
	var made struct{ TargetID, SessionID string }
	b.call(&made, "Target.createTarget", map[string]any{"url": "about:blank"})
	b.call(&made, "Target.attachToTarget", map[string]any{"targetId": made.TargetID, "flatten": true})
	b.session = made.SessionID
	for _, domain := range []string{"Page", "Runtime", "Log", "Network"} {
		b.call(nil, domain+".enable", nil)
	}
}

func (b *browser) send(method string, params any) int {
	b.last++
	raw, err := json.Marshal(map[string]any{"id": b.last, "method": method, "params": params, "sessionId": b.session})
	if b.session == "" {
		raw, err = json.Marshal(map[string]any{"id": b.last, "method": method, "params": params})
	}
	if err == nil {
		_, err = b.to.Write(append(raw, 0))
	}
	if err != nil {
		b.t.Logf("%s: %v", method, err)
	}
	return b.last
}

// read is the next message.
func (b *browser) read() (e event) {
	raw, err := b.from.ReadBytes(0)
	if err != nil {
		b.t.Fatalf("chromium: %v", err)
	}
	if err := json.Unmarshal(raw[:len(raw)-1], &e); err != nil {
		b.t.Fatal(err)
	}
	if e.ID == 0 {
		b.events = append(b.events, e)
	}
	return e
}

func (b *browser) call(result any, method string, params any) {
	b.t.Helper()
	if params == nil {
		params = map[string]any{}
	}
	id := b.send(method, params)
	for {
		e := b.read()
		if e.ID != id {
			continue
		}
		if e.Error != nil {
			b.t.Fatalf("%s: %s", method, e.Error.Message)
		}
		if result != nil {
			if err := json.Unmarshal(e.Result, result); err != nil {
				b.t.Fatal(err)
			}
		}
		return
	}
}

// look is how a page is looked at.
type look struct {
	width  int
	scheme string // "light" or "dark", or "print" for paper
}

func (l look) String() string { return fmt.Sprintf("%s-%d", l.scheme, l.width) }

// open shows a file and waits until it is there.
func (b *browser) open(path string, l look) {
	b.t.Helper()
	b.call(nil, "Emulation.setDeviceMetricsOverride", map[string]any{"width": l.width, "height": 844, "deviceScaleFactor": 1, "mobile": l.width < 600})
	media := map[string]any{"media": "", "features": []any{map[string]any{"name": "prefers-color-scheme", "value": l.scheme}}}
	if l.scheme == "print" {
		media = map[string]any{"media": "print", "features": []any{map[string]any{"name": "prefers-color-scheme", "value": "dark"}}}
	}
	b.call(nil, "Emulation.setEmulatedMedia", media)
	b.events = nil
	b.call(nil, "Page.navigate", map[string]any{"url": "file://" + path})
	for !b.happened("Page.loadEventFired") {
		b.read()
	}
}

func (b *browser) happened(method string) bool {
	for _, e := range b.events {
		if e.Method == method {
			return true
		}
	}
	return false
}

// eval is the value of an expression in the page.
func (b *browser) eval(value any, expression string) {
	b.t.Helper()
	var answer struct {
		Result           struct{ Value json.RawMessage }
		ExceptionDetails *struct {
			Exception struct{ Description string }
		}
	}
	b.call(&answer, "Runtime.evaluate", map[string]any{"expression": expression, "returnByValue": true})
	if answer.ExceptionDetails != nil {
		b.t.Fatalf("%s", answer.ExceptionDetails.Exception.Description)
	}
	if err := json.Unmarshal(answer.Result.Value, value); err != nil {
		b.t.Fatal(err)
	}
}

// screenshot is of the whole page.
func (b *browser) screenshot(path string) {
	var height float64
	b.eval(&height, "document.documentElement.scrollHeight")
	var shot struct{ Data string }
	b.call(&shot, "Page.captureScreenshot", map[string]any{"captureBeyondViewport": true})
	raw, err := base64.StdEncoding.DecodeString(shot.Data)
	if err == nil {
		err = os.WriteFile(path, raw, 0o644)
	}
	if err != nil {
		b.t.Fatal(err)
	}
}

func TestPageInABrowser(t *testing.T) {
	b := openBrowser(t)
	audit, err := os.ReadFile(filepath.Join("testdata", "audit.js"))
	if err != nil {
		t.Fatal(err)
	}
	for name, facts := range samples(t) {
		path := writePage(t, name, facts)
		for _, l := range []look{{1280, "light"}, {390, "dark"}, {700, "light"}, {794, "print"}} {
			b.open(path, l)
			var faults []string
			b.eval(&faults, string(audit))
			for _, fault := range append(faults, b.noise()...) {
				t.Errorf("%s at %s: %s", name, l, fault)
			}
		}
		b.copies(facts)
	}
}

// TestScreenshots makes pictures of the pages in the folder that
// DISTGATE_SCREENSHOTS names, for whoever changes how they look.
func TestScreenshots(t *testing.T) {
	folder := os.Getenv("DISTGATE_SCREENSHOTS")
	if folder == "" {
		return
	}
	b, all := openBrowser(t), samples(t)
	pages := map[string]string{"audit": writePage(t, "audit", looseAudit(t)), "audit-hostile": writePage(t, "audit", hostileAudit())}
	for _, name := range []string{"numpy", "looked", "tampered"} {
		pages[name] = writePage(t, name, all[name])
	}
	for name, path := range pages {
		for _, l := range []look{{1280, "light"}, {1280, "dark"}, {390, "light"}, {390, "dark"}, {794, "print"}} {
			b.open(path, l)
			b.screenshot(filepath.Join(folder, name+"-"+l.String()+".png"))
		}
	}
}

func writePage(t *testing.T, name string, facts interface{ HTML() ([]byte, error) }) (path string) {
	raw, err := facts.HTML()
	if err == nil {
		path = filepath.Join(t.TempDir(), name+".html")
		err = os.WriteFile(path, raw, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// noise is what a page does that it must not: requests, messages, errors.
func (b *browser) noise() (faults []string) {
	for _, e := range b.events {
		switch e.Method {
		case "Network.requestWillBeSent":
			var sent struct {
				Request struct{ URL string }
				Type    string
			}
			_ = json.Unmarshal(e.Params, &sent)
			if sent.Type != "Document" && !strings.HasPrefix(sent.Request.URL, "data:") {
				faults = append(faults, "asks for "+sent.Request.URL)
			}
		case "Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded":
			faults = append(faults, e.Method+" "+string(e.Params))
		}
	}
	return faults
}

// copies holds what a reader takes along to what a vote must have.
func (b *browser) copies(f Facts) {
	var got string
	b.eval(&got, `(() => { const s = getSelection(); s.selectAllChildren(document.querySelector('.paste')); return s.toString().trim(); })()`)
	want := f.Head().Paste
	if f.Head().Closed != "" {
		want = f.Review.Release.String()
	}
	if got != want {
		b.t.Errorf("the line to paste is copied as %q, want %q", got, want)
	}
}

package command

import (
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/distgate/distgate/publish"
)

// progress counts the bytes of a long step: a bar on a terminal, and a line at
// the end elsewhere. It may be used by several goroutines.
type progress struct {
	printer printer
	bar     *progressbar.ProgressBar
	doing   string
	bytes   atomic.Int64
}

// startProgress begins a step over so many bytes (-1 where nobody knows).
func startProgress(s Streams, doing string, total int64, more ...progressbar.Option) *progress {
	p := &progress{printer: printer{s.Err}, doing: doing}
	if s.Terminal {
		p.bar = progressbar.NewOptions64(total, append([]progressbar.Option{
			progressbar.OptionSetWriter(s.Err), progressbar.OptionSetDescription(doing),
			progressbar.OptionShowBytes(true), progressbar.OptionSetWidth(24),
			progressbar.OptionThrottle(100e6), progressbar.OptionClearOnFinish()}, more...)...)
	}
	return p
}

// reader counts what is read through it.
func (p *progress) reader(r io.Reader) io.Reader { return &counted{r, p} }

// writer counts what is written through it.
func (p *progress) writer(w io.Writer) io.Writer { return io.MultiWriter(w, counting{p}) }

type counting struct{ progress *progress }

func (c counting) Write(b []byte) (int, error) {
	c.progress.add(int64(len(b)))
	return len(b), nil
}

func (p *progress) add(n int64) {
	p.bytes.Add(n)
	if p.bar != nil {
		_ = p.bar.Add64(n)
	}
}

func (p *progress) finish() {
	if p.bar != nil {
		_ = p.bar.Finish()
		return
	}
	if p.bytes.Load() == 0 {
		return
	}
	p.printer.line("%s %s", fmt.Sprintf("%-10s", p.doing), bytesText(p.bytes.Load()))
}

// set says how many bytes it is now, and of what.
func (p *progress) set(n int64, what string) {
	p.bytes.Store(n)
	if p.bar != nil {
		p.bar.Describe(what)
		_ = p.bar.Set64(n)
	}
}

// steps shows how far publishing is. On a terminal that is a bar, with what is
// sent just now before it, and a line for each file that is done; elsewhere the
// lines alone.
type steps struct {
	s     Streams
	bar   *progress
	plan  publish.Event // what is to be sent
	began time.Time
	told  time.Time // when a line last said how far it is
	files int       // that were sent
	bytes int64     // of them
}

func newSteps(s Streams) *steps { return &steps{s: s} }

func (t *steps) event(e publish.Event) {
	switch e.Step {
	case publish.Planned:
		t.plan, t.began, t.told = e, t.s.Now(), t.s.Now()
		t.line("%-10s %s, %s", "sending", plural(e.Files, "file"), bytesText(e.Size))
		if t.s.Terminal {
			t.bar = startProgress(t.s, "", e.Size, progressbar.OptionSetWidth(10))
		}
	case publish.Signed:
	case publish.Sending:
		if t.bar != nil {
			t.bar.set(t.bytes+e.Done, fmt.Sprintf("%d/%d %s %d%%", t.files+1, t.plan.Files, tail(e.File), percent(e.Done, e.Size)))
		}
	case publish.Uploaded:
		t.files, t.bytes = t.files+1, t.bytes+e.Size
		t.line("%-10s %s%s", string(e.Step), e.File, sizeText(e.Size))
		t.soFar()
	case publish.Waiting, publish.NotBurned, publish.Comparing:
		t.clear()
		printer{t.s.Err}.outcome(string(e.Step), e.Note)
	default:
		t.line("%-10s %s%s", string(e.Step), e.File, sizeText(e.Size))
	}
}

// line writes a line, and the bar comes again below it.
func (t *steps) line(format string, args ...any) {
	t.clear()
	printer{t.s.Err}.line(format, args...)
}

func (t *steps) clear() {
	if t.bar != nil && t.bar.bar != nil {
		_ = t.bar.bar.Clear()
	}
}

// soFar says now and then, where there is no bar, how many files are sent, how
// fast, and for how long it will go on.
func (t *steps) soFar() {
	now := t.s.Now()
	if t.files == t.plan.Files {
		t.finish()
	}
	if t.bar != nil || t.files == t.plan.Files || now.Sub(t.told) < 10*time.Second {
		return
	}
	t.told = now
	took := now.Sub(t.began)
	rest := time.Duration(float64(took) / float64(max(t.bytes, 1)) * float64(t.plan.Size-t.bytes))
	t.line("so far     %d of %d files, %s of %s, %s/s, %s left", t.files, t.plan.Files, bytesText(t.bytes),
		bytesText(t.plan.Size), bytesText(int64(float64(t.bytes)/took.Seconds())), rest.Round(time.Second).String())
}

func (t *steps) finish() {
	if t.bar != nil {
		t.bar.finish()
		t.bar = nil
	}
}

// tail is the end of a file name, which tells wheels of one release apart.
func tail(name string) string {
	const most = 22
	if runes := []rune(plain(name)); len(runes) > most {
		return "…" + string(runes[len(runes)-most+1:])
	}
	return plain(name)
}

func percent(n, of int64) int64 {
	if of <= 0 {
		return 100
	}
	return min(100, n*100/of)
}

type counted struct {
	io.Reader
	progress *progress
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	c.progress.add(int64(n))
	return n, err
}

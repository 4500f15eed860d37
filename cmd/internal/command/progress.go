package command

import (
	"fmt"
	"io"
	"sync/atomic"

	"github.com/schollz/progressbar/v3"
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
func startProgress(s Streams, doing string, total int64) *progress {
	p := &progress{printer: printer{s.Err}, doing: doing}
	if s.Terminal {
		p.bar = progressbar.NewOptions64(total,
			progressbar.OptionSetWriter(s.Err), progressbar.OptionSetDescription(doing),
			progressbar.OptionShowBytes(true), progressbar.OptionSetWidth(24),
			progressbar.OptionThrottle(100e6), progressbar.OptionClearOnFinish())
	}
	return p
}

// reader counts what is read through it.
func (p *progress) reader(r io.Reader) io.Reader { return &counted{r, p} }

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

type counted struct {
	io.Reader
	progress *progress
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	c.progress.add(int64(n))
	return n, err
}

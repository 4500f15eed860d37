package publish

import (
	"bytes"
	"cmp"
	"context"
	"io"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/distgate/distgate/attest"
	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

// Offered is one file that an index offers, as the index says. Nothing of it is
// proven, its bytes and its provenance included, before they were verified.
type Offered struct {
	Name   string
	Digest dist.Digest
	Size   int64  // bytes, or -1 where the index does not say
	Yanked string // why, or nothing
	served served
}

// NewReader is an index to read from alone, by the address of its simple API and
// further hosts that serve its files. PyPI and TestPyPI are known whole.
func NewReader(simple string, files ...string) (*Index, error) {
	for _, known := range []Address{PyPI(), TestPyPI()} {
		if simple == known.Simple && len(files) == 0 {
			return NewIndex(known)
		}
	}
	var origins []string
	var no rule.Refusals
	for _, address := range append([]string{simple}, files...) {
		u, err := secure(address)
		if err != nil {
			no = append(no, rule.Refusal{File: "index", Rule: rule.IndexAddress, Want: "an https URL",
				Got: brief(err.Error()), Hint: "correct the address of the index"})
			continue
		}
		origins = append(origins, origin(u))
	}
	if len(no) > 0 {
		return nil, no
	}
	at, err := url.Parse(simple)
	return &Index{address: Address{Name: at.Host, Simple: simple, Files: files, Patience: time.Minute},
		serials: map[string]int{}, simple: at, upload: &url.URL{}, integrity: &url.URL{}, oidc: &url.URL{},
		client: newClient(dist.MaxSize+1, origins...)}, err
}

// Offers lists the files of a version of a project, whose name is normalised, by
// name. There is none where the index knows no such version.
func Offers(ctx context.Context, x *Index, project string, version dist.Version) (list []Offered, err error) {
	p, err := again(ctx, briefly(), func() (page, error) {
		return x.page(ctx, release{project: project, version: version})
	})
	for _, f := range p.files {
		o := Offered{Name: f.name, Digest: f.digest, Size: -1, Yanked: f.yanked, served: f}
		if f.size != nil {
			o.Size = *f.size
		}
		list = append(list, o)
	}
	slices.SortFunc(list, func(a, b Offered) int { return cmp.Compare(a.Name, b.Name) })
	return list, err
}

// Closes is when the index takes no new files any more of the release that offers
// these, at the latest. It is the zero time where there is no file of it, or no such
// limit is known, or the index does not say when the files came.
func (x *Index) Closes(offers []Offered) time.Time {
	var first time.Time
	for _, o := range offers {
		first = earlier(first, parseTime(o.served.uploaded))
	}
	return x.closes(first)
}

// closes is the same of a release whose first file came then. The index counts from
// when the release was made there, which was with its first file at the latest.
func (x *Index) closes(first time.Time) time.Time {
	if x.address.Limits.Open == 0 || first.IsZero() {
		return time.Time{}
	}
	return first.Add(x.address.Limits.Open)
}

// earlier is the earlier of two times that are known.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// Download writes the file's bytes to what open returns, which is asked again for
// each try, and hashes them. Other bytes than the index lists are refused.
func (x *Index) Download(ctx context.Context, o Offered, open func() (io.Writer, error)) (dist.File, error) {
	most := o.Size
	if most < 0 || most > dist.MaxSize {
		most = dist.MaxSize
	}
	f, err := again(ctx, briefly(), func() (dist.File, error) {
		dst, err := open()
		if err != nil {
			return dist.File{}, err
		}
		return x.fetch(ctx, o.served, dst, most+1)
	})
	if err == nil && f.Digest() != o.Digest {
		err = rule.Refusals{{File: o.Name, Rule: rule.ServedBytes,
			Want: o.Digest.String() + ", as " + x.Name() + " lists it", Got: f.Digest().String(),
			Hint: "do not install it, and tell the index's administrators"}}
	}
	return f, err
}

// Provenance is what the index has for the file of PEP 740, unverified. A file
// without is refused: nobody can tell who uploaded it.
func (x *Index) Provenance(ctx context.Context, o Offered) (raw []byte, bundles []attest.Bundle, err error) {
	none := func(got string) error {
		return rule.Refusals{{File: o.Name, Rule: rule.ServedProvenance, Want: "provenance on " + x.Name(), Got: got,
			Hint: "ask the project why the file came without; one that has some can be verified"}}
	}
	if o.served.attested == nil {
		return nil, nil, none("nothing")
	}
	a, err := again(ctx, briefly(), func() (answer, error) { return x.get(ctx, o.served.attested, integrityJSON, maxProvenance) })
	if err != nil {
		return nil, nil, err
	}
	if a.status != http.StatusOK {
		return nil, nil, none(a.says())
	}
	bundles, err = attest.ParseBundles(o.Name+".provenance", bytes.NewReader(a.body))
	return a.body, bundles, err
}

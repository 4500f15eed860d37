package publish

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

// ledger is the comparing of one project.
type ledger struct {
	books     Books
	due       map[string]*entryDue // by file name
	accounted []*account
	byText    map[string]*account // by version as it is written; nil where that is not compared
	latest    *account            // what was confirmed last
	before    int
	refused   rule.Refusals
	bare      []*entryDue // listed without an attestation
	again     []*entryDue // to be compared with what is attested now
	strangers []*stranger
}

// offered is a file as the page lists it.
type offered struct {
	served
	uploaded time.Time // or zero where the index does not say
	attested bool      // the page says where its provenance is
}

// entryDue is a file that a receipt has.
type entryDue struct {
	ReceiptFile
	of   *account
	seen bool
}

// stranger is a file that no receipt has.
type stranger struct {
	offered
	of      *account
	brought string // by whom, as the index says
	run     string // of the policy's publisher, if its attestation says that it was it
	unread  bool   // has an attestation, and is one too many to read it
}

// account is one version.
type account struct {
	VersionAccount
	version dist.Version
	due     int // files of receipts
	yanked  int // files, of those that are there
	listed  int // files that are there
	missing []string
}

// newLedger opens an account for each version that has a receipt. Several
// receipts of one version are united.
func newLedger(index string, b Books) *ledger {
	l := &ledger{books: b, due: map[string]*entryDue{}, byText: map[string]*account{}}
	var newest time.Time
	for _, r := range b.Receipts {
		version, err := dist.ParseVersion(r.Receipt.Version)
		if err != nil || r.Receipt.Index != index || r.Receipt.Project != b.Project {
			continue
		}
		a := l.account(version)
		if a == nil {
			continue
		}
		if r.Receipt.Confirmed.After(newest) {
			newest, l.latest = r.Receipt.Confirmed, a
		}
		for _, f := range r.Receipt.Files {
			l.expect(f, a)
		}
	}
	return l
}

// expect enters a file of a receipt.
func (l *ledger) expect(f ReceiptFile, a *account) {
	other := l.due[f.Name]
	switch {
	case other == nil:
		l.due[f.Name] = &entryDue{ReceiptFile: f, of: a}
		a.due++
	case other.Digest != f.Digest:
		l.refuse(f.Name, rule.ReconcileReceipts, "one digest in all receipts", other.Digest.String()+" and "+f.Digest.String(),
			"find out which run signed which of them")
	}
}

// account is the one of a version, or nil where it is not compared. 1.0 and
// 1.0.0 are one.
func (l *ledger) account(version dist.Version) *account {
	text := version.String()
	if a, known := l.byText[text]; known {
		return a
	}
	for _, a := range l.accounted {
		if a.version.Equal(version) {
			l.byText[text] = a
			return a
		}
	}
	l.byText[text] = nil
	if named := l.books.Versions; len(named) == 0 || slices.ContainsFunc(named, version.Equal) {
		l.byText[text] = l.open(text, version)
	}
	return l.byText[text]
}

func (l *ledger) open(text string, version dist.Version) *account {
	a := &account{VersionAccount: VersionAccount{Version: text}, version: version}
	a.Withdrawn = slices.ContainsFunc(l.books.Withdrawn, func(w Withdrawn) bool { return w.Version.Equal(version) })
	l.accounted = append(l.accounted, a)
	return a
}

// unnamed is the account of files whose names have no version that an installer
// of today reads. It is compared unless versions were named.
func (l *ledger) unnamed() *account {
	const text = "?"
	a := l.byText[text]
	if a == nil && len(l.books.Versions) == 0 {
		a = &account{VersionAccount: VersionAccount{Version: text}}
		l.byText[text], l.accounted = a, append(l.accounted, a)
	}
	return a
}

// keep enters every file of the page, so that none of them is kept. An
// installer may go by the end of the URL as well as by the name.
func (l *ledger) keep(none []served, at *url.URL, e entry) ([]served, error) {
	to, err := at.Parse(e.url)
	if err != nil || path.Base(to.Path) != e.filename || to.Fragment != "" {
		return nil, errors.New("no URL that ends in the file's name")
	}
	s, err := e.served(to)
	if err != nil {
		return nil, err
	}
	o := offered{served: s, attested: e.attested != nil}
	if e.uploaded != nil {
		if o.uploaded, err = time.Parse(time.RFC3339, *e.uploaded); err != nil {
			return nil, errors.New("an upload time that is none")
		}
	}
	l.enter(o)
	return none, nil
}

// enter holds one file on the index against the books.
func (l *ledger) enter(s offered) {
	due := l.due[s.name]
	if due == nil {
		l.foreign(s)
		return
	}
	a := due.of
	a.list(s.served)
	for _, row := range due.rows(s.served) {
		if !row.holds {
			l.refuse(s.name, row.rule, row.want, row.got, row.hint)
			due.seen = true
			return
		}
	}
	due.seen = true
	a.Same++
	if !s.attested {
		l.bare = append(l.bare, due)
	} else if a == l.latest || len(l.books.Versions) > 0 {
		l.again = append(l.again, due)
	}
}

// list counts a file that is there.
func (a *account) list(s served) {
	a.listed++
	if s.yanked != "" {
		a.yanked++
		a.Yanked = cmp.Or(a.Yanked, s.yanked)
	}
}

// rows are the rules for a file that a receipt has: a new rule is a new row.
func (d *entryDue) rows(s served) []told {
	const look = "look at what answers as the index"
	size := d.Size
	if s.size != nil {
		size = *s.size
	}
	return []told{
		{rule.ReconcileBytes, !d.seen, "one file of this name", "another, " + s.digest.String(), look},
		{rule.ReconcileBytes, s.digest == d.Digest, d.Digest.String(), s.digest.String(),
			"somebody changed it, or something else answers as the index: tell the users, and ask the index's administrators"},
		{rule.ReconcileBytes, size == d.Size, fmt.Sprintf("%d bytes", d.Size), fmt.Sprintf("%d bytes", size), look},
	}
}

// foreign is a file that no receipt has. It is accounted for where it is older
// than the books, or where it was taken back by its digest and is yanked.
func (l *ledger) foreign(s offered) {
	if !s.uploaded.IsZero() && s.uploaded.Before(l.books.Since) {
		l.before++
		return
	}
	a := l.unnamed
	if f, err := dist.ParseFilename(s.name); err == nil && f.Project == l.books.Project {
		a = func() *account { return l.account(f.Version) }
	}
	of := a()
	if of == nil {
		return
	}
	of.Foreign++
	of.list(s.served)
	takenBack := slices.ContainsFunc(l.books.Withdrawn, func(w Withdrawn) bool { return slices.Contains(w.Files, s.digest) })
	if s.yanked == "" || !takenBack {
		l.strangers = append(l.strangers, &stranger{offered: s, of: of})
	}
}

// close looks at each version as a whole: what is missing of it, and whether it
// is yanked where it was withdrawn, and nowhere else.
func (l *ledger) close(p page) {
	for _, name := range slices.Sorted(maps.Keys(l.due)) {
		if due := l.due[name]; !due.seen {
			due.of.missing = append(due.of.missing, name)
			due.of.Missing++
		}
	}
	for _, due := range l.bare {
		if says(p.version, 3) {
			l.refuse(due.Name, rule.ReconcileProvenance, "the publish attestation that was confirmed, "+due.Attestation.String(),
				"nothing any more", "an index does not lose attestations by itself: ask its administrators")
			due.of.Same--
		}
	}
	for _, named := range l.books.Versions {
		if !slices.ContainsFunc(l.accounted, func(a *account) bool { return a.version.Equal(named) }) {
			l.refuse(l.books.Project+" "+named.String(), rule.ReconcileNothing, "a receipt of it, or a file on the index",
				"neither", "correct the version, or see that the policy names the index and the store that you mean")
		}
	}
	for _, a := range l.accounted {
		for _, row := range a.rows(p.status) {
			if !row.holds {
				l.refuse(l.books.Project+" "+a.Version, row.rule, row.want, row.got, row.hint)
			}
		}
	}
}

// says tells whether a page of that version of the API has what came with minor.
func says(version string, minor int) bool {
	n, err := strconv.Atoi(strings.TrimPrefix(version, "1."))
	return err == nil && n >= minor
}

// rows are the rules for a version as a whole.
func (a *account) rows(status string) []told {
	asked := ""
	if status != "" && status != "active" {
		asked = "; the index calls the project " + status
	}
	return []told{
		{rule.ReconcileMissing, a.Missing == 0 || a.Withdrawn, fmt.Sprintf("all %d files of its receipt", a.due),
			fmt.Sprintf("%d missing: %s%s", a.Missing, strings.Join(a.missing, ", "), asked),
			"ask the project's owners who deleted them; a deleted file's name can never be used again"},
		{rule.ReconcileYanked, a.yanked == 0 || a.Withdrawn, "a release that is not yanked, or a withdrawal that says why",
			fmt.Sprintf("%d of %d files yanked: %s", a.yanked, a.listed, a.Yanked),
			"if it is meant, distgate withdraw " + a.Version + " --reason …; else an owner un-yanks it and finds out who yanked"},
		{rule.ReconcileWithdrawn, !a.Withdrawn || a.yanked == a.listed, "all of it yanked, since it was withdrawn",
			fmt.Sprintf("%d of %d files not yanked", a.listed-a.yanked, a.listed),
			"an owner yanks it (distgate withdraw " + a.Version + " shows where), or it is put back with --undo"},
	}
}

func (l *ledger) refuse(file string, id rule.ID, want, got, hint string) {
	l.refused = append(l.refused, rule.Refusal{File: brief(file), Rule: id, Want: want, Got: brief(got), Hint: hint})
}

// accounts are the versions that were compared, newest first.
func (l *ledger) accounts() []VersionAccount {
	slices.SortFunc(l.accounted, func(a, b *account) int {
		if a.version.IsZero() || b.version.IsZero() {
			return cmp.Compare(b.Version, a.Version)
		}
		return b.version.Compare(a.version)
	})
	list := []VersionAccount{}
	for _, a := range l.accounted {
		list = append(list, a.VersionAccount)
	}
	return list
}

// kin are the files without a receipt of one version that came by the same run of
// the policy's publisher, by none, or by nobody knows which.
type kin struct {
	of     *account
	run    string
	unread bool
}

func (s *stranger) kin() kin { return kin{s.of, s.run, s.unread} }

// refusals are all that does not agree: foreign files first. Where a version has
// no receipt at all, its files are one refusal for each run that brought them: a
// run that is the publisher's own speaks for no file but its own.
func (l *ledger) refusals() (all rule.Refusals) {
	whole := map[kin][]*stranger{}
	for _, s := range l.strangers {
		whole[s.kin()] = append(whole[s.kin()], s)
	}
	for _, s := range l.strangers {
		switch of := whole[s.kin()]; {
		case s.of.due > 0 || len(of) == 1:
			all = append(all, l.strange(s, s.name, s.describe()))
		case of[0] == s:
			all = append(all, l.strange(s, l.books.Project+" "+s.of.Version,
				fmt.Sprintf("%d files, the first %s: %s", len(of), s.name, s.describe())))
		}
	}
	slices.SortStableFunc(l.refused, func(a, b rule.Refusal) int { return strings.Compare(a.File, b.File) })
	return append(all, l.refused...)
}

func (l *ledger) strange(s *stranger, file, got string) rule.Refusal {
	no := rule.Refusal{File: brief(file), Rule: rule.ReconcileForeign, Want: "only files that a receipt has", Got: brief(got),
		Hint: "find out who uploaded it and by which road, take that road away, and take it back with distgate withdraw; " +
			"what was released before distgate is left out by [reconcile] since in the policy"}
	if s.run != "" {
		no.Hint = "before anything is taken back, look at that run: if it released this, its store has the receipt, and " +
			"this is another store or an older copy of it"
	}
	return no
}

// describe says what is known of how the file came.
func (s *stranger) describe() string {
	text := s.digest.String()
	if !s.uploaded.IsZero() {
		text += ", uploaded " + stamp(s.uploaded)
	}
	switch {
	case s.run != "":
		return text + ", by the policy's own publisher, in " + s.run
	case s.brought != "":
		return text + ", by the trusted publisher " + s.brought + ", as the index says"
	case s.unread:
		return text + ", with an attestation that was not read"
	case s.attested:
		return text + ", with an attestation"
	}
	return text + ", without an attestation"
}

package approval_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/distgate/distgate/approval"
	"github.com/distgate/distgate/staging"
	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

// A recount is as of when the release was published: who said no before that was
// heard by nobody, and who says no afterwards means something else.
func TestARecountIsAsOfThePublication(t *testing.T) {
	w := newWorld(t)
	records := []staging.Record{w.cast(t, ballot{by: "alice"}), w.cast(t, ballot{by: "bob"}), w.cast(t, ballot{by: "carol", reject: true})}
	release := staging.Release{Digest: w.staged.Digest(), Manifest: w.staged.Manifest()}
	said := noon.Add(-time.Hour)
	for _, test := range []struct {
		name      string
		published time.Time
		counts    bool
	}{
		{"before the no", said.Add(-time.Second), true},
		{"with it", said, false},
		{"after it", said.Add(time.Second), false},
	} {
		_, _, err := approval.Recount(release, records, approval.Run{}, w.policy, test.published)
		if (err == nil) != test.counts {
			t.Errorf("%s: got %v", test.name, err)
		}
	}
}

// What somebody signed and nobody can read has no time, and could have been a no. Its
// signer alone says that it was none, be it after the publication.
func TestARecountOfWhatCannotBeRead(t *testing.T) {
	w := newWorld(t)
	unread := w.cast(t, ballot{by: "carol", bytes: func(raw []byte) []byte {
		return []byte(strings.Replace(string(raw), `"decision":`, `"decision": `, 1))
	}})
	no := w.cast(t, ballot{by: "carol", reject: true})
	names := func(records ...staging.Record) func(*vote) {
		return func(v *vote) {
			for _, r := range records {
				v.Predicate.Rejections = append(v.Predicate.Rejections, dist.Sum(r.Statement))
			}
		}
	}
	release := staging.Release{Digest: w.staged.Digest(), Manifest: w.staged.Manifest()}
	later := noon.Add(day)
	for _, test := range []struct {
		name   string
		more   []staging.Record
		counts bool
	}{
		{"nobody says what it is", nil, false},
		{"somebody else does", []staging.Record{w.cast(t, ballot{by: "bob", issued: later, statement: names(unread)})}, false},
		{"its signer approves and does not name it", []staging.Record{w.cast(t, ballot{by: "carol", issued: later})}, false},
		{"its signer rejects and names it", []staging.Record{w.cast(t, ballot{by: "carol", issued: later, reject: true, statement: names(unread)})}, false},
		{"its signer names it for another release", []staging.Record{w.cast(t, ballot{by: "carol", issued: later, statement: func(v *vote) {
			names(unread)(v)
			v.Subject = dist.Sum([]byte("another"))
		}})}, false},
		{"its signer names it", []staging.Record{w.cast(t, ballot{by: "carol", issued: later, statement: names(unread)})}, true},
		{"its signer names a no that can be read", []staging.Record{no, w.cast(t, ballot{by: "carol", issued: later, statement: func(v *vote) {
			v.Predicate.Rejections = []dist.Digest{dist.Sum(no.Statement)}
		}}), w.cast(t, ballot{by: "carol", issued: later.Add(time.Minute), statement: names(unread)})}, false},
	} {
		records := append([]staging.Record{w.cast(t, ballot{by: "alice"}), w.cast(t, ballot{by: "bob"}), unread}, test.more...)
		ballots, _, err := approval.Recount(release, records, approval.Run{}, w.policy, noon)
		if (err == nil) != test.counts {
			t.Errorf("%s: got %v", test.name, err)
		}
		if test.counts && len(ballots) != 2 {
			t.Errorf("%s: got %d approvals, of which one was given afterwards", test.name, len(ballots))
		}
		var refused rule.Refusals
		if heard := errors.As(err, &refused); heard != (len(test.more) == 3) {
			t.Errorf("%s: got %v", test.name, err)
		}
	}
}

package approval_test

import (
	"testing"
	"time"

	"github.com/distgate/distgate/approval"
	"github.com/distgate/distgate/staging"
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

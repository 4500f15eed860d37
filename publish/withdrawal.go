package publish

import (
	"time"

	"github.com/distgate/distgate/staging/dist"
)

// Withdrawn is a release that was taken back, wherever that stands written.
type Withdrawn struct {
	Release dist.Digest // or zero, of files that were never released here
	Version dist.Version
	Files   []dist.Digest
	Reason  string
	Instead string // version to use in its place, or nothing
	Since   time.Time
	Where   string // it stands written
}

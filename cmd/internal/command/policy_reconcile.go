package command

import "time"

// reconcileTable says what reconcile compares.
type reconcileTable struct {
	Since string `toml:"since"`
}

// booksBegin is the day from which on a file needs a receipt, or the zero time
// where every file does.
func (p policy) booksBegin() (time.Time, error) {
	since := p.table.Reconcile.Since
	if since == "" {
		return time.Time{}, nil
	}
	day, err := time.Parse(time.DateOnly, since)
	if err != nil {
		return time.Time{}, p.refuse("reconcile.since", `a day as "2026-11-21"`, since)
	}
	return day, nil
}

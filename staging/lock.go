package staging

import (
	"context"
	"errors"
	"strings"

	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

// LockFile is where a repository that builds another one's source says which.
const LockFile = "distgate.lock"

// Lock declares the source of a build: the repository, the tag and the commit
// that it takes, and the version that this is. It lies in the repository that
// builds, as distgate.lock. That the build kept to it is the build's own word.
type Lock struct {
	Repository string `json:"repository"` // "owner/name"
	Tag        string `json:"tag"`        // that there is, or will be
	Commit     string `json:"commit"`
	Version    string `json:"version"` // normalised as PEP 440 has it
}

const maxLock = 4 << 10 // bytes

// Encode returns the lock's one encoding: JSON, fields in the order above, two
// blanks of indent, a newline at the end.
func (l Lock) Encode() ([]byte, error) {
	if err := l.check(); err != nil {
		return nil, err
	}
	return encode(l, "  ", maxLock)
}

// DecodeLock reads what [Lock.Encode] wrote, and refuses any other bytes.
func DecodeLock(file string, raw []byte) (Lock, error) {
	return strict(file, rule.SourceLock, raw, maxLock, Lock.Encode)
}

func (l Lock) check() error {
	owner, name, _ := strings.Cut(l.Repository, "/")
	version, err := dist.ParseVersion(l.Version)
	switch {
	case owner == "" || name == "" || strings.Contains(name, "/") || !printable(l.Repository):
		return errors.New("no repository as owner/name")
	case !isCommit(l.Commit):
		return errors.New("no whole commit")
	case !printable(l.Tag):
		return errors.New("no tag")
	case err != nil || version.String() != l.Version:
		return errors.New("no version as PEP 440 normalises it")
	}
	return nil
}

// isCommit tells whether s is the whole name of a commit, by SHA-1 or SHA-256.
func isCommit(s string) bool {
	odd := func(r rune) bool { return (r < '0' || r > '9') && (r < 'a' || r > 'f') }
	return (len(s) == 40 || len(s) == 64) && !strings.ContainsFunc(s, odd)
}

// Lock makes the lock of a tag that is there, and judges it as a release of it
// would be judged.
func (r SourceRules) Lock(ctx context.Context, tag string) (Lock, Upstream, error) {
	v, ok := r.versionOf(tag)
	if !ok {
		return Lock{}, Upstream{}, refused("tag "+tag, rule.SourceTag, "a tag as the policy has them, "+r.Tag, orNothing(tag),
			"name a tag of a release, or correct source.tag in the policy")
	}
	tags, err := r.Keeper.Tags(ctx, r.Repository, tag, func(name string) bool { return name == tag })
	if err != nil {
		return Lock{}, Upstream{}, err
	}
	if len(tags) != 1 || !isCommit(tags[0].Commit) {
		return Lock{}, Upstream{}, refused("tag "+tag, rule.SourceTag, "a tag of a commit in "+r.Repository, "none",
			"make and push the tag; or, where tags are made after, lock --commit SHA --version "+v.String())
	}
	return r.locked(ctx, v, Lock{Repository: r.Repository, Tag: tag, Commit: tags[0].Commit, Version: v.String()})
}

// LockCommit makes the lock of a commit that is to be a version, and judges it
// as a release of it would be judged.
func (r SourceRules) LockCommit(ctx context.Context, commit string, v dist.Version) (Lock, Upstream, error) {
	if !isCommit(commit) {
		return Lock{}, Upstream{}, refused("commit "+commit, rule.SourceLock, "the whole name of a commit, 40 or 64 hexadecimal digits",
			orNothing(commit), "git rev-parse prints it")
	}
	return r.locked(ctx, v, Lock{Repository: r.Repository, Tag: r.tagOf(v), Commit: commit, Version: v.String()})
}

func (r SourceRules) locked(ctx context.Context, v dist.Version, l Lock) (Lock, Upstream, error) {
	o, no, err := r.upstream(ctx, v, l, "")
	if err != nil {
		return Lock{}, Upstream{}, err
	}
	return l, *o, no.Err()
}

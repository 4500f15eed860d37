package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/distgate/distgate/approval"
	"github.com/distgate/distgate/publish"
	"github.com/distgate/distgate/staging"
	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

// withdrawFlags say why a release is taken back, and who says so.
type withdrawFlags struct {
	shared
	index, reason, instead           string
	undo                             bool
	key, write, statement, signature string
	draft                            string
	patience                         time.Duration
}

func newWithdraw(s Streams) *cobra.Command {
	var f withdrawFlags
	c := &cobra.Command{
		Use:     "withdraw VERSION",
		Aliases: []string{"yank"},
		Short:   "Take a release back",
		Long: `Withdraw first says where an owner yanks the version, and what to paste there: no
API token can do it on PyPI, and distgate has no password. Then it looks at what the
index has of the version, and says what can be done about it and what that does to
users.

With a key, or in the job that the policy names, it signs the withdrawal and stores
it: from then on publish and verify refuse the release. It prints the entry for
withdrawn.toml, which belongs on the release repository's default branch, where
nobody can drop it, and a line for the release notes; --draft writes them into files,
with an advisory. Then it waits until the index serves the release as yanked.

    distgate withdraw 1.0 --reason 'the sdist has no licence' --key keys/alice

--undo puts a release back that was withdrawn by mistake. Only a person can.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			version, err := dist.ParseVersion(args[0])
			if err != nil {
				return usagef("want a version as 1.0, got " + args[0])
			}
			if err := f.check(); err != nil {
				return err
			}
			return f.run(c.Context(), s, version)
		},
	}
	f.bind(c)
	flags := c.Flags()
	flags.StringVar(&f.index, "index", "", "the index, a `NAME` in the policy, where there are several")
	flags.StringVar(&f.reason, "reason", "", "why, in one line of `TEXT`: everybody reads it")
	flags.StringVar(&f.instead, "instead", "", "the `VERSION` to use in its place")
	flags.BoolVar(&f.undo, "undo", false, "put a release back that was withdrawn")
	flags.StringVar(&f.key, "key", "", "sign with this OpenSSH private key `FILE`, which has no passphrase")
	flags.StringVar(&f.write, "write", "", "write the statement to this `FILE`, to be signed elsewhere")
	flags.StringVar(&f.statement, "statement", "", "the `FILE` that --write made")
	flags.StringVar(&f.signature, "signature", "", "its signature, a `FILE` that ssh-keygen made")
	flags.StringVar(&f.draft, "draft", "", "write withdrawn.toml, notes and an advisory into this `DIR`")
	flags.DurationVar(&f.patience, "patience", 15*time.Minute, "how `LONG` to wait for the button to be pressed; 0 does not wait")
	return c
}

func (f withdrawFlags) check() error {
	ways := 0
	for _, given := range []bool{f.key != "", f.write != "", f.statement != "" || f.signature != ""} {
		if given {
			ways++
		}
	}
	switch _, notVersion := dist.ParseVersion(f.instead); {
	case strings.TrimSpace(f.reason) == "":
		return usagef("say why with --reason: it is what users read")
	case f.instead != "" && notVersion != nil:
		return usagef("--instead: want a version as 1.0.1, got " + f.instead)
	case ways > 1 || (f.statement == "") != (f.signature == ""):
		return usagef("sign in one way: --key FILE, or --write FILE, or --statement FILE with --signature FILE")
	case f.patience < 0:
		return usagef("--patience: want a time as 15m, or 0")
	}
	return nil
}

// withdrawal is the result of withdraw.
type withdrawal struct {
	Page    string              `json:"page,omitempty"` // where an owner presses the button
	Owners  []string            `json:"owners"`
	Plan    publish.Plan        `json:"plan"`
	Signed  []string            `json:"signed"`  // release digests whose withdrawal was recorded
	Entries []publish.Withdrawn `json:"entries"` // for withdrawn.toml, or with undo those to take out
	Served  bool                `json:"served"`  // the index serves it so
}

func (f withdrawFlags) run(ctx context.Context, s Streams, version dist.Version) error {
	out := printer{s.Out}
	if f.json {
		out = printer{s.Err}
	}
	said := f.button(ctx, s, out, version)
	w, err := openWatch(ctx, s, f.shared, f.index)
	if err != nil {
		return err
	}
	result := withdrawal{Page: w.policy.address(w.index).YankPage(w.policy.project, version), Owners: w.policy.owners(), Signed: []string{}}
	if !said {
		out.button(result, f, w.policy.project+" "+version.String(), w.index)
	}
	found, err := w.find(ctx, s, version)
	if err != nil {
		return err
	}
	if result.Plan, err = w.witness.PlanWithdrawal(ctx, w.policy.project, version, found.releases, found.receipts, f.undo); err != nil {
		return err
	}
	if len(found.releases) == 0 && result.Plan.There() == 0 {
		return usagef("neither the index " + w.index + " nor the store has anything of " + w.policy.project + " " + version.String())
	}
	out.plan(result.Plan)
	if result.Signed, err = f.record(ctx, s, out, w, found, result.Plan); err != nil || f.write != "" {
		return err
	}
	result.Entries = f.entries(w, found, result.Plan, s.Now())
	err = f.drafts(out, w, result.Entries)
	if err == nil && (!f.undo || len(result.Signed) > 0) { // a job alone puts nothing back
		err = f.press(ctx, s, w, version, result.Plan)
	}
	if err != nil {
		return err
	}
	result.Served, err = f.wait(ctx, out, w, result.Plan)
	if f.json {
		err = errors.Join(err, emit(s.Out, result))
	}
	return err
}

// button says where to press it before anything slow: as soon as the policy in
// the folder can be read, and before it is judged, or any store or network asked.
func (f withdrawFlags) button(ctx context.Context, s Streams, out printer, version dist.Version) bool {
	if f.repository != "" || f.policy == "" && s.Env("GITHUB_ACTIONS") == "true" {
		return false
	}
	file := f.policy
	if file == "" {
		file = defaultPolicy
	}
	p := policy{file: file, from: inFolder(filepath.Dir(file))}
	raw, err := p.read(ctx, filepath.Base(file))
	if err == nil {
		err = decodePolicy(file, raw, &p.table)
	}
	if err == nil {
		p.project, err = dist.NormalizeName(p.table.Project)
	}
	index, noIndex := p.indexName(f.index)
	if err != nil || noIndex != nil {
		return false
	}
	out.button(withdrawal{Page: p.address(index).YankPage(p.project, version), Owners: p.owners()}, f,
		p.project+" "+version.String(), index)
	return true
}

func (p policy) owners() []string { return append([]string{}, p.table.Withdraw.Owners...) }

func (p printer) button(w withdrawal, f withdrawFlags, what, index string) {
	verb := "yank"
	if f.undo {
		verb = "un-yank"
	}
	p.line("%s %s on index %s", fmt.Sprintf("%-10s", verb), what, index)
	if w.Page == "" {
		p.field("where", "the index has no page for it that the policy knows (index."+index+".manage); ask its administrators")
	} else {
		p.field("where", w.Page)
	}
	if len(w.Owners) > 0 {
		p.field("who", strings.Join(w.Owners, ", "))
	} else {
		p.field("who", "an owner of the project on the index")
	}
	if !f.undo {
		p.field("paste", f.reason)
	}
	p.line("")
}

func (p printer) plan(plan publish.Plan) {
	p.line("%s %s of %s: %d of %s there, %d yanked", fmt.Sprintf("%-10s", string(plan.Extent)), plan.Version, plan.Project,
		plan.There(), plural(len(plan.Files), "file"), plan.Yanked)
	for _, f := range plan.Files {
		if f.There && !f.Ours {
			p.field("foreign", f.Name)
		}
	}
	for _, step := range plan.Steps {
		p.field(string(step.Remedy), step.Do)
		p.field("", step.Effect)
	}
	p.line("")
}

// found is what the store has of a version.
type found struct {
	version  dist.Version
	releases []staging.Release
	receipts []publish.Believed
	released map[dist.Digest]bool // those with a receipt
	standing []publish.Withdrawn
}

func (w watch) find(ctx context.Context, s Streams, version dist.Version) (found, error) {
	f := found{version: version, released: map[dist.Digest]bool{}}
	releases, malformed, err := w.store.Releases(ctx)
	if err != nil {
		return found{}, err
	}
	printer{s.Err}.refusals(malformed)
	for _, r := range releases {
		if v, err := dist.ParseVersion(r.Manifest.Version); err != nil || !v.Equal(version) ||
			r.Manifest.Project != w.policy.project || r.Manifest.Index != w.index {
			continue
		}
		believed, refused, err := publish.Receipts(ctx, w.store, r, w.publisher, w.policy.verifier)
		if err != nil {
			return found{}, err
		}
		printer{s.Err}.refusals(refused)
		standing, err := w.policy.withdrawals(ctx, s, w.store, w.index, r)
		if err != nil {
			return found{}, err
		}
		f.releases, f.receipts = append(f.releases, r), append(f.receipts, believed...)
		f.released[r.Digest], f.standing = len(believed) > 0, append(f.standing, standing...)
	}
	return f, nil
}

// about are the releases that a withdrawal is about: those that were released, or
// have a file on the index; and where there is none, all of the version.
func (f found) about(plan publish.Plan) (list []staging.Release) {
	there := map[dist.Digest]bool{}
	for _, file := range plan.Files {
		there[file.Digest] = file.There
	}
	for _, r := range f.releases {
		if f.released[r.Digest] || slices.ContainsFunc(r.Manifest.Files, func(f staging.File) bool { return there[f.Digest] }) {
			list = append(list, r)
		}
	}
	if len(list) == 0 {
		return f.releases
	}
	return list
}

// record signs the withdrawal of each release that it is about and stores it.
func (f withdrawFlags) record(ctx context.Context, s Streams, out printer, w watch, found found, plan publish.Plan) (signed []string, err error) {
	signed = []string{}
	withdrawer, err := w.policy.withdrawer(w.index)
	if err != nil {
		return signed, err
	}
	about := found.about(plan)
	if f.undo && len(found.standing) == 0 {
		return signed, usagef("nobody withdrew " + plan.Version + "; there is nothing to put back")
	}
	if len(about) == 0 {
		out.field("record", "none: no release of this version is in the store; the entry below is what refuses it")
		return signed, nil
	}
	if f.write+f.statement != "" && len(about) > 1 {
		return signed, usagef(plan.Version + " has several releases; sign with --key, which signs for each")
	}
	asked := false // once, of the version
	for _, r := range about {
		if before, said := f.saidBefore(found.standing, r.Digest); said {
			signed = append(signed, r.Digest.String())
			out.field("recorded", r.Digest.String())
			out.field("by", before.By+", on "+utc(before.Since))
			continue
		}
		if f.key != "" && !asked {
			if err := f.ask(ctx, s, r.Manifest); err != nil {
				return signed, err
			}
			asked = true
		}
		record, err := f.signed(ctx, s, w, r, found.standing)
		if err != nil {
			return signed, err
		}
		if len(record.Statement) == 0 {
			break
		}
		_, by, err := withdrawer.Judge(record, r, s.Now())
		if err != nil {
			return signed, inFiles(err, f.statement, f.signature)
		}
		if err := w.store.Attach(ctx, r.Digest, record); err != nil {
			return signed, err
		}
		signed = append(signed, r.Digest.String())
		out.field("recorded", r.Digest.String())
		out.field("by", by)
	}
	if len(signed) == 0 && f.write == "" {
		out.field("record", "none yet: sign with --key FILE (or --write FILE, for ssh-keygen), so that it cannot be published again")
	}
	return signed, nil
}

// saidBefore is the record that stands and says the same: it is not signed twice.
func (f withdrawFlags) saidBefore(standing []publish.Withdrawn, release dist.Digest) (publish.Withdrawn, bool) {
	at := slices.IndexFunc(standing, func(w publish.Withdrawn) bool {
		return !f.undo && !w.Statement.IsZero() && w.Release == release && w.Reason == f.reason && w.Instead == f.instead
	})
	if at < 0 {
		return publish.Withdrawn{}, false
	}
	return standing[at], true
}

// signed is the signed record of a release's withdrawal, or none where nobody
// signs.
func (f withdrawFlags) signed(ctx context.Context, s Streams, w watch, r staging.Release, standing []publish.Withdrawn) (record staging.Record, err error) {
	if !f.undo {
		standing = nil
	}
	said := publish.Withdraw(r.Manifest, standing, f.reason, f.instead, s.Now())
	record.Kind = publish.WithdrawalKind
	switch {
	case f.statement != "":
		if record.Statement, err = readSmall(f.statement); err == nil {
			record.SSHSIG, err = readSmall(f.signature)
		}
	case f.key != "" || f.write != "":
		if record.Statement, err = said.Statement(r.Digest); err != nil {
			return record, usageError{err}
		}
		if f.write != "" {
			return staging.Record{}, f.writeStatement(s, r.Digest, record.Statement)
		}
		record.SSHSIG, err = w.policy.signStatement(f.key, record.Statement)
	case s.Env("ACTIONS_ID_TOKEN_REQUEST_URL") != "" && !f.undo:
		return w.signAsJob(ctx, s, said, r.Digest)
	default:
		return staging.Record{}, nil
	}
	return record, err
}

// ask lets a person at a terminal say which release it is about.
func (f withdrawFlags) ask(ctx context.Context, s Streams, m staging.Manifest) error {
	what := "withdraw"
	if f.undo {
		what = "put back"
	}
	return typed(ctx, s, "to "+what, m.Project+" "+m.Version)
}

func (f withdrawFlags) writeStatement(s Streams, release dist.Digest, statement []byte) error {
	file, err := os.OpenFile(f.write, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return usagef(f.write + " is there already; write to another file, so that nothing is signed by mistake")
	}
	if err != nil {
		return err
	}
	_, err = file.Write(statement)
	p := printer{s.Out}
	p.line("written    %s", f.write)
	p.field("release", release.String())
	p.field("next", "ssh-keygen -Y sign -n distgate -f KEY "+f.write)
	p.field("then", "this command again, with --statement "+f.write+" --signature "+f.write+".sig")
	return errors.Join(err, file.Close())
}

// signStatement signs with the key of somebody on the list.
func (p policy) signStatement(path string, statement []byte) ([]byte, error) {
	key, err := readKey(path)
	if err != nil {
		return nil, err
	}
	return approval.Sign(statement, key)
}

// signAsJob signs as the job that runs here, which the policy must name.
func (w watch) signAsJob(ctx context.Context, s Streams, said publish.Withdrawal, release dist.Digest) (staging.Record, error) {
	token, err := idToken(s)
	if err != nil {
		return staging.Record{}, err
	}
	signer, err := w.policy.signer(token)
	if err != nil {
		return staging.Record{}, err
	}
	return said.Record(ctx, release, signer)
}

// entries are what withdrawn.toml does not have yet: one for each release, and one
// for files on the index that no release has. With undo they are those to take out.
func (f withdrawFlags) entries(w watch, found found, plan publish.Plan, now time.Time) []publish.Withdrawn {
	list := []publish.Withdrawn{}
	if f.undo {
		return append(list, slices.DeleteFunc(w.policy.withdrawnOn(w.index), func(e publish.Withdrawn) bool {
			return !e.Version.Equal(found.version)
		})...)
	}
	one := publish.Withdrawn{Version: found.version, Reason: f.reason, Instead: f.instead, Since: now.UTC().Truncate(time.Second), By: withdrawnFile}
	for _, r := range found.about(plan) {
		if len(w.policy.withdrawnOf(w.index, r.Digest, r.Manifest)) > 0 {
			continue
		}
		e := one
		e.Release = r.Digest
		if before, said := f.saidBefore(found.standing, r.Digest); said {
			e.Since = before.Since
		}
		for _, file := range r.Manifest.Files {
			e.Files = append(e.Files, file.Digest)
		}
		list = append(list, e)
	}
	for _, file := range plan.Files {
		if file.There && !file.Ours && !w.policy.withdrew(w.index, file.Digest) {
			one.Files = append(one.Files, file.Digest)
		}
	}
	if len(one.Files) > 0 {
		list = append(list, one)
	}
	return list
}

// withdrew tells whether withdrawn.toml has a file.
func (p policy) withdrew(index string, file dist.Digest) bool {
	return slices.ContainsFunc(p.withdrawnOn(index), func(w publish.Withdrawn) bool { return slices.Contains(w.Files, file) })
}

// drafts prints what belongs into withdrawn.toml and the release notes, and with
// --draft writes both, and an advisory, into a folder.
func (f withdrawFlags) drafts(out printer, w watch, entries []publish.Withdrawn) error {
	if f.undo {
		for _, e := range entries {
			out.field("take out", fmt.Sprintf("of %s on the default branch: the entry of %s, %s", withdrawnFile, e.Version, e.Release))
		}
		return nil
	}
	if len(entries) == 0 {
		out.field(withdrawnFile, "has it")
		return nil
	}
	out.line("\nfor %s on the default branch of %s:\n", withdrawnFile, w.policy.table.Publish.Repository)
	list := make([]string, len(entries))
	for i, e := range entries {
		list[i] = withdrawnEntryOf(w.policy.address(w.index), e)
	}
	text := strings.Join(list, "\n")
	for _, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		out.line("%s", line)
	}
	out.line("\nfor the release notes:\n")
	out.line("%s", entries[0].Note())
	out.line("")
	if f.draft == "" {
		return nil
	}
	return f.writeDrafts(out, w, entries, text)
}

func (f withdrawFlags) writeDrafts(out printer, w watch, entries []publish.Withdrawn, text string) error {
	before := string(w.policy.withdrawnRaw)
	if before == "" {
		before = withdrawnHead
	}
	advisory, err := json.MarshalIndent(entries[0].Advisory(w.policy.project), "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(f.draft, 0o755); err != nil {
		return err
	}
	for _, file := range []struct{ name, text string }{
		{withdrawnFile, strings.TrimRight(before, "\n") + "\n\n" + text},
		{"notes.md", "- " + entries[0].Note() + "\n"},
		{"advisory.json", string(advisory) + "\n"},
	} {
		if err := writeIn(f.draft, file.name, []byte(file.text)); err != nil {
			return err
		}
		out.field("written", filepath.Join(f.draft, file.name))
	}
	return nil
}

// press yanks on an index that lets a job do it. Elsewhere a person has to.
func (f withdrawFlags) press(ctx context.Context, s Streams, w watch, version dist.Version, plan publish.Plan) error {
	if !w.witness.Index.CanYank() || s.Env("ACTIONS_ID_TOKEN_REQUEST_URL") == "" || plan.There() == 0 || plan.Served(f.undo) {
		return nil
	}
	token, err := idToken(s)
	if err != nil {
		return err
	}
	job := publish.Job{Witness: w.witness, Token: token}
	if job.Publisher, err = w.policy.withdrawJob(w.index); err != nil {
		return err
	}
	return job.Yank(ctx, w.policy.project, version, f.reason, f.undo)
}

// wait waits until the index serves the version as it should be.
func (f withdrawFlags) wait(ctx context.Context, out printer, w watch, plan publish.Plan) (bool, error) {
	if plan.There() == 0 {
		return true, nil
	}
	witness := w.witness
	witness.Patience = f.patience
	err := witness.Await(ctx, plan, f.undo)
	if f.patience == 0 && errors.As(err, new(rule.Refusals)) {
		out.line("waiting    for the button: run it again to see that it was pressed")
		return false, nil
	}
	if ctx.Err() != nil {
		out.line("waiting    for the button: nobody was seen to press it; run it again")
	}
	if err != nil {
		return false, err
	}
	if f.undo {
		out.line("put back   %s %s: index %s serves it, and nothing of it is yanked", plan.Project, plan.Version, plan.Index)
	} else {
		out.line("withdrawn  %s %s: index %s serves it as yanked", plan.Project, plan.Version, plan.Index)
	}
	return true, nil
}

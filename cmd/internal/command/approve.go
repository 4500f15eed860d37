package command

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/crypto/ssh"

	"github.com/distgate/distgate/approval"
	"github.com/distgate/distgate/staging"
	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
	"github.com/distgate/distgate/workflows"
)

// voteFlags say how the vote is signed: here with a key file, or elsewhere with
// ssh-keygen, which knows agents and security keys.
type voteFlags struct {
	shared
	key, write, statement, signature string
	run                              string
	reason                           string
	acknowledge                      []string
}

func newApprove(s Streams) *cobra.Command {
	return newVote(s, approval.Approve, "Vote for a release",
		`Approve proves the release again, shows what it is, and signs a vote for its
whole digest with an SSH key of yours that the policy's allowed_signers lists.`)
}

func newReject(s Streams) *cobra.Command {
	return newVote(s, approval.Reject, "Vote against a release",
		`Reject ends a release digest: one rejection by anyone on the list is enough, it
does not age, and only a later approval by the same person takes it back.`)
}

func newVote(s Streams, decision approval.Decision, short, long string) *cobra.Command {
	var f voteFlags
	verb := string(decision)
	c := &cobra.Command{
		Use:   verb + " RELEASE",
		Short: short,
		Long:  long + votingWays(verb),
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if _, _, err := workflows.ParseRunURL(args[0]); err == nil && f.ways() == 0 {
				f.run = args[0]
			}
			if err := f.check(s, verb, args[0]); err != nil {
				return err
			}
			r, err := openRelease(c.Context(), s, f.shared, args[0])
			if err != nil {
				return err
			}
			return r.vote(c.Context(), s, decision, f)
		},
	}
	f.bind(c)
	return c
}

// votingWays are the ways to vote, for the help of a verb.
func votingWays(verb string) string {
	return `

With a key file:

    distgate ` + verb + ` RELEASE --key ~/.ssh/id_ed25519

With an agent or a security key, through ssh-keygen:

    distgate ` + verb + ` RELEASE --write vote.json
    ssh-keygen -Y sign -n distgate -f ~/.ssh/id_ed25519_sk vote.json
    distgate ` + verb + ` RELEASE --statement vote.json --signature vote.json.sig

By a review of the environment on GitHub, where the policy lets that count, with
your own token in GITHUB_TOKEN (gh auth token), in the run that waits for it:

    distgate ` + verb + ` RELEASE --run OWNER/REPO/RUN_ID
    distgate ` + verb + ` https://github.com/OWNER/REPO/actions/runs/RUN_ID`
}

func (f *voteFlags) bind(c *cobra.Command) {
	f.shared.bind(c)
	c.Flags().StringVar(&f.key, "key", "", "sign with this OpenSSH private key `FILE`, which has no passphrase")
	c.Flags().StringVar(&f.write, "write", "", "write the statement to this `FILE`, to be signed elsewhere")
	c.Flags().StringVar(&f.statement, "statement", "", "the `FILE` that --write made")
	c.Flags().StringVar(&f.signature, "signature", "", "its signature, a `FILE` that ssh-keygen made")
	c.Flags().StringVar(&f.run, "run", "", "vote by a review of the environment that this `RUN` waits for, OWNER/REPO/RUN_ID")
	c.Flags().StringSliceVar(&f.acknowledge, "acknowledge", nil, "say that the findings of this `RULE` were seen (repeatable)")
	c.Flags().StringVar(&f.reason, "reason", "", "one line of `TEXT` in your own words, kept with the vote")
}

// check wants one way to sign; and where nobody can be asked, the whole digest
// of what is voted for.
func (f voteFlags) check(s Streams, verb, ref string) error {
	if f.ways() != 1 || (f.statement == "") != (f.signature == "") {
		return usagef("say how to vote, in one way: --key FILE, or --write FILE, or --statement FILE with --signature FILE, " +
			"or --run OWNER/REPO/RUN_ID")
	}
	if _, err := dist.ParseDigest(ref); err != nil && f.statement == "" && !s.Terminal {
		return usagef("there is no terminal to ask at, so " + verb + " takes the whole release digest: sha256: and 64 digits, as review shows it")
	}
	return nil
}

// seen are the rules whose findings the voter has seen.
func (f voteFlags) seen() (ids []rule.ID) {
	for _, id := range f.acknowledge {
		ids = append(ids, rule.ID(id))
	}
	return ids
}

// acknowledged demands, before anything is signed, what would be demanded of the
// vote: that every finding to look at was seen.
func (f voteFlags) acknowledged(review looked, decision approval.Decision) error {
	if decision != approval.Approve || f.statement != "" {
		return nil
	}
	if unseen := review.unseen(f.seen()); len(unseen) > 0 {
		return usagef("the review has findings to look at first; when you have seen them, add" + each(unseen, " --acknowledge "))
	}
	return nil
}

// ways is by how many ways the flags vote.
func (f voteFlags) ways() (n int) {
	for _, given := range []bool{f.key != "", f.write != "", f.run != "", f.statement != "" || f.signature != ""} {
		if given {
			n++
		}
	}
	return n
}

// notPublished refuses to reject what is out: that stops nothing any more.
func (r release) notPublished(ctx context.Context) error {
	m := r.staged.Manifest()
	published, err := r.policy.published(ctx, r.store, staging.Release{Digest: r.staged.Digest(), Manifest: m}, r.index)
	if err == nil && published {
		err = usagef(m.Version + " is published; distgate withdraw " + m.Version + " takes it back")
	}
	return err
}

func (r release) vote(ctx context.Context, s Streams, decision approval.Decision, f voteFlags) error {
	if err := r.withdrawn(ctx, s); err != nil && decision == approval.Approve {
		return err
	}
	if decision == approval.Reject {
		if err := r.notPublished(ctx); err != nil {
			return err
		}
	}
	review, err := r.look(ctx, s)
	if err != nil {
		return err
	}
	r = r.knowing(review.past, review.match)
	if decision == approval.Approve && r.policy.wantsMatch() {
		if err := review.match.Err(); err != nil {
			return err
		}
	}
	if err := f.acknowledged(review, decision); err != nil {
		return err
	}
	if f.write != "" {
		return r.writeVote(ctx, s, review, decision, f)
	}
	if f.run != "" {
		return r.voteInRun(ctx, s, review, decision, f)
	}
	return r.voteSigned(ctx, s, review, decision, f)
}

// voteSigned records a vote that would count, and shows where the release stands
// with it.
func (r release) voteSigned(ctx context.Context, s Streams, review looked, decision approval.Decision, f voteFlags) error {
	record, err := r.signed(ctx, s, review, decision, f)
	if err != nil {
		return err
	}
	ballot, err := approval.Judge(r.staged, record, r.policy.approval, s.Now())
	if err != nil {
		return inFiles(err, f.statement, f.signature)
	}
	if ballot.Decision != decision {
		return usagef(fmt.Sprintf("%s holds a vote to %s", f.statement, ballot.Decision))
	}
	if err := r.allSeen(review, ballot, f); err != nil {
		return err
	}
	if err := r.store.Attach(ctx, r.staged.Digest(), record); err != nil {
		return err
	}
	if !f.json {
		printer{s.Out}.line("voted      %s: %s", string(decision), ballot.By)
		before, err := r.relatives(ctx, s)
		if err != nil {
			return err
		}
		return r.showStanding(ctx, s, before)
	}
	st, err := r.standing(ctx, s)
	if err != nil {
		return err
	}
	return emit(s.Out, st)
}

// allSeen refuses an approval, written before, of which publish would say that it does
// not count: there is something to look at that it has no word of.
func (r release) allSeen(review looked, b approval.Ballot, f voteFlags) error {
	unseen := review.unseen(b.Acknowledged)
	if b.Decision != approval.Approve || len(unseen) == 0 {
		return nil
	}
	return rule.Refusals{{File: f.statement, Rule: rule.VoteUnseen, Want: "every finding to look at said to be seen",
		Got: "no word of" + each(unseen, " "), Hint: "look at them in the review, and sign another statement: distgate approve " +
			short(r.staged.Digest()) + " --write FILE" + each(slices.Concat(b.Acknowledged, unseen), " --acknowledge ") + r.flags.again()}}
}

// each is every rule id behind the same words.
func each(ids []rule.ID, words string) (text string) {
	for _, id := range ids {
		text += words + string(id)
	}
	return text
}

// writeVote shows the release, asks, and writes the statement for ssh-keygen to sign.
func (r release) writeVote(ctx context.Context, s Streams, review looked, decision approval.Decision, f voteFlags) error {
	statement, err := r.statement(ctx, s, review, decision, f)
	if err != nil {
		return err
	}
	if _, err := os.Lstat(f.write); err == nil {
		return alreadyThere(f.write)
	}
	if err := r.confirmVote(ctx, s, review, decision, f.write); err != nil {
		return err
	}
	file, err := os.OpenFile(f.write, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return alreadyThere(f.write)
	}
	if err != nil {
		return err
	}
	_, err = file.Write(statement)
	if err := errors.Join(err, file.Close()); err != nil {
		return err
	}
	p := printer{s.Out}
	p.line("written    %s", f.write)
	p.field("release", r.staged.Digest().String())
	p.field("next", "ssh-keygen -Y sign -n distgate -f KEY "+f.write)
	p.field("then", fmt.Sprintf("distgate %s %s --statement %s --signature %s.sig%s",
		decision, short(r.staged.Digest()), f.write, f.write, r.flags.again()))
	return nil
}

// signed makes the vote's record, with the key or from what was signed
// elsewhere.
func (r release) signed(ctx context.Context, s Streams, review looked, decision approval.Decision, f voteFlags) (staging.Record, error) {
	if f.statement != "" {
		return readVote(f)
	}
	key, err := readKey(f.key)
	if err != nil {
		return staging.Record{}, err
	}
	person, ok := r.policy.approval.Asked(key.PublicKey())
	if !ok {
		return staging.Record{}, rule.Refusals{{File: f.key, Rule: rule.VoteSigner, Want: "a key of somebody on the policy's list",
			Got: ssh.FingerprintSHA256(key.PublicKey()), Hint: "this key may not vote; who may stands in " + r.policy.table.Approval.Signers}}
	}
	if err := r.confirmVote(ctx, s, review, decision, person.Name()); err != nil {
		return staging.Record{}, err
	}
	statement, err := r.statement(ctx, s, review, decision, f)
	if err != nil {
		return staging.Record{}, err
	}
	signature, err := approval.Sign(statement, key)
	return staging.Record{Kind: approval.RecordKind, Statement: statement, SSHSIG: signature}, err
}

// statement is the vote, which names the rejections that stand: an approval
// takes back its signer's own.
func (r release) statement(ctx context.Context, s Streams, review looked, decision approval.Decision, f voteFlags) ([]byte, error) {
	records, _, err := r.store.Records(ctx, r.staged.Digest(), approval.RecordKind)
	if err != nil {
		return nil, err
	}
	rejections, err := approval.Rejections(r.staged, records, r.policy.approval, s.Now())
	if err != nil {
		return nil, err
	}
	statement, err := review.Statement(approval.Opinion{Decision: decision, Acknowledged: f.seen(), Rejections: rejections, Reason: f.reason,
		Issued: s.Now(), Holds: r.policy.approval.MaxAge})
	if err != nil {
		return nil, usageError{err}
	}
	return statement, nil
}

func alreadyThere(file string) error {
	return usagef(file + " is there already; write to another file, so that no vote is signed by mistake")
}

func readKey(path string) (ssh.Signer, error) {
	raw, err := readSmall(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, usagef("there is no key " + path)
	}
	if err != nil {
		return nil, err
	}
	key, err := ssh.ParsePrivateKey(raw)
	if protected := (*ssh.PassphraseMissingError)(nil); errors.As(err, &protected) {
		return nil, usagef(path + " has a passphrase; sign with ssh-keygen instead (--write, see --help)")
	}
	if _, _, _, _, public := ssh.ParseAuthorizedKey(raw); err != nil && public == nil {
		return nil, usagef(path + " is the public half of a key; name the private one, or sign with ssh-keygen (--write, see --help)")
	}
	if err != nil {
		return nil, rule.Refusals{{File: path, Rule: rule.VoteSignature, Want: "an OpenSSH private key",
			Got: err.Error(), Hint: "a security key or an agent signs through ssh-keygen: --write, see --help"}}
	}
	return key, nil
}

// maxSmall bounds a key, a statement or a signature, in bytes.
const maxSmall = 2 << 20

// readSmall reads a key, a statement or a signature.
func readSmall(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	raw, err := io.ReadAll(io.LimitReader(file, maxSmall+1))
	if err == nil && len(raw) > maxSmall {
		err = rule.Refusals{{File: path, Rule: rule.VoteRecord, Want: fmt.Sprintf("at most %d bytes", maxSmall), Got: "more",
			Hint: "name the key, the statement or the signature itself"}}
	}
	return raw, err
}

// inFiles names the files that a refused statement and its signature were read from.
func inFiles(err error, statement, signature string) error {
	var no rule.Refusals
	if statement == "" || !errors.As(err, &no) {
		return err
	}
	no = slices.Clone(no)
	for i := range no {
		no[i].File = statement + " with " + signature
	}
	return no
}

// readVote reads a vote that was signed elsewhere.
func readVote(f voteFlags) (staging.Record, error) {
	statement, err := readSmall(f.statement)
	if err != nil {
		return staging.Record{}, err
	}
	signature, err := readSmall(f.signature)
	return staging.Record{Kind: approval.RecordKind, Statement: statement, SSHSIG: signature}, err
}

// confirmVote shows what the person is about to vote for and asks, on a terminal.
// Elsewhere the whole digest on the command line is the decision.
func (r release) confirmVote(ctx context.Context, s Streams, review looked, decision approval.Decision, who string) error {
	p := printer{s.Err}
	review.show(p, r.policy.address(r.index).Upload)
	if s.Terminal {
		p.field("release", review.Release.String())
	}
	return typed(ctx, s, who+": to "+string(decision), review.Project+" "+review.Version)
}

// typed asks whoever sits at a terminal to type what it is about. Where nobody
// does, the command line named it.
func typed(ctx context.Context, s Streams, question, want string) error {
	if !s.Terminal {
		return nil
	}
	fmt.Fprintf(s.Err, "%s, type %s: ", plain(question), plain(want))
	answer, err := readLine(ctx, s.In)
	if err == nil && strings.Join(strings.Fields(answer), " ") != want {
		err = usagef("that is not " + want + "; nothing was signed")
	}
	return err
}

// readLine reads one line, or ends when the context does: an interrupt at the
// question is an answer, too.
func readLine(ctx context.Context, in io.Reader) (string, error) {
	read := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(io.LimitReader(in, 1<<10)).ReadString('\n')
		read <- strings.TrimSpace(line)
	}()
	select {
	case line := <-read:
		return line, nil
	case <-ctx.Done():
		return "", fmt.Errorf("nothing was signed: %w", ctx.Err())
	}
}

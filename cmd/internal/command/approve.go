package command

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/crypto/ssh"

	"github.com/distgate/distgate/approval"
	"github.com/distgate/distgate/staging"
	"github.com/distgate/distgate/staging/rule"
)

// voteFlags say how the vote is signed: here with a key file, or elsewhere with
// ssh-keygen, which knows agents and security keys.
type voteFlags struct {
	shared
	key, write, statement, signature string
	reason                           string
	acknowledged                     []string
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
		Long: long + `

With a key file:

    distgate ` + verb + ` RELEASE --key ~/.ssh/id_ed25519

With an agent or a security key, through ssh-keygen:

    distgate ` + verb + ` RELEASE --write vote.json
    ssh-keygen -Y sign -n distgate -f ~/.ssh/id_ed25519_sk vote.json
    distgate ` + verb + ` RELEASE --statement vote.json --signature vote.json.sig`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if err := f.check(); err != nil {
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
	c.Flags().StringVar(&f.key, "key", "", "sign with this OpenSSH private key `FILE`")
	c.Flags().StringVar(&f.write, "write", "", "write the statement to this `FILE`, to be signed elsewhere")
	c.Flags().StringVar(&f.statement, "statement", "", "the `FILE` that --write made")
	c.Flags().StringVar(&f.signature, "signature", "", "its signature, a `FILE` that ssh-keygen made")
	c.Flags().StringVar(&f.reason, "reason", "", "one line in your own words, kept with the vote")
	c.Flags().StringArrayVar(&f.acknowledged, "acknowledge", nil, "acknowledge a finding by its `RULE` (repeatable)")
	return c
}

func (f voteFlags) check() error {
	ways := 0
	for _, given := range []bool{f.key != "", f.write != "", f.statement != "" || f.signature != ""} {
		if given {
			ways++
		}
	}
	if ways != 1 || (f.statement == "") != (f.signature == "") {
		return usagef("say how to sign: --key FILE, or --write FILE, or --statement FILE with --signature FILE")
	}
	return nil
}

func (r release) vote(ctx context.Context, s Streams, decision approval.Decision, f voteFlags) error {
	review, err := approval.Show(r.staged, r.policy.approval)
	if err != nil {
		return policyFault(err)
	}
	record, err := r.signed(s, review, decision, f)
	if err != nil || record.Statement == nil {
		return err
	}
	ballot, err := approval.Judge(r.staged, record, r.policy.approval, s.Now())
	if err != nil {
		return err
	}
	if ballot.Decision != decision {
		return usagef(fmt.Sprintf("%s holds a vote to %s", f.statement, ballot.Decision))
	}
	if err := r.store.Attach(ctx, r.staged.Digest(), record); err != nil {
		return err
	}
	printer{s.Out}.line("voted      %s: %s", string(decision), ballot.By)
	return r.votes(ctx, s)
}

// signed makes the vote's record. It is empty where the statement was only
// written, to be signed elsewhere.
func (r release) signed(s Streams, review approval.Review, decision approval.Decision, f voteFlags) (staging.Record, error) {
	if f.statement != "" {
		return readVote(f)
	}
	statement, err := review.Statement(f.opinion(decision, s.Now(), r.policy.approval.MaxAge))
	if err != nil {
		return staging.Record{}, err
	}
	if f.write != "" {
		if err := os.WriteFile(f.write, statement, 0o644); err != nil {
			return staging.Record{}, err
		}
		p := printer{s.Out}
		p.line("written    %s", f.write)
		p.field("release", r.staged.Digest().String())
		p.field("next", "ssh-keygen -Y sign -n distgate -f KEY "+f.write)
		return staging.Record{}, nil
	}
	key, err := readKey(f.key)
	if err != nil {
		return staging.Record{}, err
	}
	person, ok := r.policy.approval.Person(key.PublicKey())
	if !ok {
		return staging.Record{}, rule.Refusals{{File: f.key, Rule: rule.VoteSigner, Want: "a key of somebody on the policy's list",
			Got: ssh.FingerprintSHA256(key.PublicKey()), Hint: "its public half goes into " + r.policy.table.Approval.Signers + ", by review"}}
	}
	if err := confirmVote(s, review, decision, person); err != nil {
		return staging.Record{}, err
	}
	signature, err := approval.Sign(statement, key)
	return staging.Record{Kind: approval.RecordKind, Statement: statement, SSHSIG: signature}, err
}

func (f voteFlags) opinion(decision approval.Decision, now time.Time, holds time.Duration) approval.Opinion {
	o := approval.Opinion{Decision: decision, Reason: f.reason, Issued: now, Holds: holds}
	for _, id := range f.acknowledged {
		o.Acknowledged = append(o.Acknowledged, rule.ID(id))
	}
	return o
}

func readKey(path string) (ssh.Signer, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	key, err := ssh.ParsePrivateKey(raw)
	if protected := (*ssh.PassphraseMissingError)(nil); errors.As(err, &protected) {
		return nil, usagef(path + " has a passphrase; sign with ssh-keygen instead (--write, see --help)")
	}
	if err != nil {
		return nil, rule.Refusals{{File: path, Rule: rule.VoteSignature, Want: "an OpenSSH private key",
			Got: err.Error(), Hint: "a security key or an agent signs through ssh-keygen: --write, see --help"}}
	}
	return key, nil
}

// readVote reads a vote that was signed elsewhere.
func readVote(f voteFlags) (staging.Record, error) {
	statement, err := os.ReadFile(f.statement)
	if err != nil {
		return staging.Record{}, err
	}
	signature, err := os.ReadFile(f.signature)
	return staging.Record{Kind: approval.RecordKind, Statement: statement, SSHSIG: signature}, err
}

// confirmVote shows what the person is about to sign and asks, on a terminal.
// Elsewhere the command line itself is the decision.
func confirmVote(s Streams, review approval.Review, decision approval.Decision, person approval.Person) error {
	p := printer{s.Err}
	p.review(review)
	if !s.Terminal {
		return nil
	}
	word := review.Release.Hex()[:8]
	fmt.Fprintf(s.Err, "%s: to %s, type the first eight digits of the digest: ", plain(person.Name()), decision)
	line, err := bufio.NewReader(s.In).ReadString('\n')
	if strings.TrimSpace(line) != word {
		return errors.Join(errors.New("nothing was signed"), err)
	}
	return nil
}

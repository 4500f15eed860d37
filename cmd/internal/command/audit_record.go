package command

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

// sign audits the repository that publishes, and keeps what came of the rules
// about settings beside the policy, where the gate finds it when it is on the
// default branch. With a key it is signed; else ssh-keygen signs it.
func (f auditing) sign(ctx context.Context, s Streams) error {
	p, age, err := f.terms(ctx)
	if err != nil {
		return err
	}
	a, err := f.ofRepository(ctx, s)
	if err != nil {
		return err
	}
	client, err := auditClient(s, p.table)
	if err != nil {
		return err
	}
	r, err := client.Repository(ctx, p.table.Publish.Repository)
	if err != nil {
		return err
	}
	if err := p.isOf(r); err != nil {
		return err
	}
	record := a.Report.Record(r.Name, strconv.FormatInt(r.ID, 10), s.Now(), age)
	statement, err := record.Statement(dist.Sum(p.files[0].Raw))
	if err != nil {
		return err
	}
	if err := f.keep(p, statement); err != nil {
		return err
	}
	if err := a.show(s, f.format); err != nil {
		return err
	}
	f.kept(printer{s.Err}, utc(record.Expires))
	if f.check {
		return a.decide(s, f.format)
	}
	return nil
}

// terms are the policy by which an audit is signed, and how old one may be.
func (f auditing) terms(ctx context.Context) (p policy, age time.Duration, err error) {
	if f.checkout != "" {
		return p, 0, usagef("--sign and --record are about a repository on GitHub, and not a folder's files")
	}
	if p, err = f.signingPolicy(ctx); err != nil {
		return p, 0, policyFault(err)
	}
	if f.repository != "" && !strings.EqualFold(f.repository, p.table.Publish.Repository) {
		return p, 0, usagef("the policy is that of " + p.table.Publish.Repository + ", and not of " + f.repository)
	}
	if age, err = p.auditAge(); err == nil && age == 0 {
		err = p.refuse("audit.max-age", `how old an audit may be, as "720h"`, "")
	}
	if err != nil {
		return p, 0, policyFault(err)
	}
	return p, age, nil
}

// signingPolicy is the policy of this folder, as far as it says who may sign.
func (f auditing) signingPolicy(ctx context.Context) (p policy, err error) {
	p.file = f.policy
	if p.file == "" {
		p.file = defaultPolicy
	}
	p.from = inFolder(filepath.Dir(p.file))
	raw, err := p.read(ctx, filepath.Base(p.file))
	if errors.Is(err, fs.ErrNotExist) {
		return p, usagef("there is no policy " + p.file + ": an audit is signed where the policy lies, as the default branch has it")
	}
	if err != nil {
		return p, err
	}
	if err := decodePolicy(p.file, raw, &p.table); err != nil {
		return p, err
	}
	p.approval, err = p.voting(ctx)
	return p, err
}

// keep writes the statement, and its signature by somebody on the list. An older
// signature is none of it, and goes.
func (f auditing) keep(p policy, statement []byte) error {
	dir, signature := filepath.Dir(p.file), []byte(nil)
	if f.key != "" {
		key, err := readKey(f.key)
		if err != nil {
			return err
		}
		if _, ok := p.approval.Person(key.PublicKey()); !ok {
			return rule.Refusals{{File: f.key, Rule: rule.VoteSigner, Want: "a key of somebody on the policy's list",
				Got: "another", Hint: "who may sign stands in " + p.table.Approval.Signers}}
		}
		if signature, err = p.signStatement(f.key, statement); err != nil {
			return err
		}
	}
	if err := os.Remove(filepath.Join(dir, auditSignature)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := writeIn(dir, auditFile, statement); err != nil {
		return err
	}
	if signature == nil {
		return nil
	}
	return writeIn(dir, auditSignature, signature)
}

// kept says what is there now, and what to do with it.
func (f auditing) kept(p printer, until string) {
	if f.key == "" {
		p.line("written    %s", auditFile)
		p.field("next", fmt.Sprintf("ssh-keygen -Y sign -n distgate -f KEY %s", auditFile))
	} else {
		p.line("written    %s and %s", auditFile, auditSignature)
	}
	p.field("counts", "until "+until+", while distgate.toml is as it is")
	p.field("then", "bring both files to the default branch")
}

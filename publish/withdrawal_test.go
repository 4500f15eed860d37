package publish_test

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/distgate/distgate/approval"
	"github.com/distgate/distgate/attest"
	"github.com/distgate/distgate/publish"
	"github.com/distgate/distgate/staging"
	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
	"github.com/distgate/distgate/workflows/githubtest"
)

// withdrawers are people with keys, and the job of withdraw.yml.
type withdrawers struct {
	publish.Withdrawer
	keys map[string]ssh.Signer
}

func (w *world) withdrawers(names ...string) withdrawers {
	w.t.Helper()
	ws := withdrawers{keys: map[string]ssh.Signer{}}
	lines := ""
	for i, name := range names {
		_, private, err := ed25519.GenerateKey(nil)
		w.must(err)
		key, err := ssh.NewSignerFromKey(private)
		w.must(err)
		ws.keys[name] = key
		if name == "mallory" {
			continue
		}
		lines += name + "@example.org namespaces=\"distgate\" " + string(ssh.MarshalAuthorizedKey(key.PublicKey()))
		ws.People.People = append(ws.People.People, approval.Person{GitHub: int64(i + 1), Principals: []string{name + "@example.org"}})
	}
	var err error
	ws.People.Signers, err = approval.ParseAllowedSigners("allowed_signers", strings.NewReader(lines))
	w.must(err)
	ws.Job, ws.Verifier = w.publisher(), w.verifier
	ws.Job.Workflow, ws.Job.Environment = ".github/workflows/withdraw.yml", "withdraw"
	return ws
}

func withdrawJob() githubtest.Claims {
	return githubtest.ReleaseJob("acme/widget", "withdraw.yml", "refs/tags/v1.0", "withdraw")
}

// withdraw signs and stores a withdrawal by a person, or by a job where by is "".
func (w *world) withdraw(ws withdrawers, by string, said publish.Withdrawal, claims ...githubtest.Claims) {
	w.t.Helper()
	release := w.release().Digest
	var record staging.Record
	var err error
	if by == "" {
		record, err = said.Record(context.Background(), release, w.job(append(claims, withdrawJob())[0]).Signer)
		w.must(err)
	} else {
		record.Kind = publish.WithdrawalKind
		record.Statement, err = said.Statement(release)
		w.must(err)
		record.SSHSIG, err = approval.Sign(record.Statement, ws.keys[by])
		w.must(err)
	}
	w.must(w.store.Attach(context.Background(), release, record))
}

func TestWhoTakesAReleaseBackAndWhoPutsItBack(t *testing.T) {
	w := newWorld(t)
	ws := w.withdrawers("alice", "bob", "mallory")
	m := w.release().Manifest
	standing := func(want int, refused ...rule.ID) []publish.Withdrawn {
		t.Helper()
		list, no, err := ws.Withdrawals(context.Background(), w.store, w.release(), time.Now())
		w.must(err)
		if len(list) != want || len(no) != len(refused) {
			t.Fatalf("%d stand, want %d; refused %v", len(list), want, no)
		}
		for i, id := range refused {
			if no[i].Rule != id {
				t.Errorf("refused by %s, want %s", no[i].Rule, id)
			}
		}
		return list
	}
	now := time.Now()
	standing(0)
	w.withdraw(ws, "mallory", publish.Withdraw(m, nil, "revenge", "", now))
	standing(0, rule.VoteSigner)
	w.forget()

	w.withdraw(ws, "alice", publish.Withdraw(m, nil, "broken", "1.0.1", now))
	w.withdraw(ws, "", publish.Withdraw(m, nil, "broken too", "", now.Add(time.Second)))
	list := standing(2)
	if list[0].By != "alice@example.org" || list[0].Instead != "1.0.1" || !list[0].Of(w.release().Digest, m) ||
		!strings.HasPrefix(list[1].By, "https://github.com/acme/widget/actions/runs/") {
		t.Errorf("%+v", list)
	}
	// Nobody put it back before it was taken back: such a one could be by a key
	// that is valid no more.
	early := publish.Withdraw(m, list[:1], "mistake", "", now)
	early.Issued = early.Issued.Add(-time.Hour)
	w.withdraw(ws, "bob", early)
	standing(2)
	// One that is put back leaves the other.
	w.withdraw(ws, "bob", publish.Withdraw(m, list[:1], "mistake", "", now.Add(2*time.Second)))
	if left := standing(1); left[0].Reason != "broken too" {
		t.Errorf("%+v", left)
	}
	// A job takes back, and never puts back.
	w.withdraw(ws, "", publish.Withdraw(m, list, "mistake", "", now.Add(3*time.Second)))
	standing(1, rule.WithdrawalRecord)
}

// Whoever has a key that ran out can still write any time into a statement. What
// takes a release back stands all the same; what puts one back ends with its key.
func TestAKeyThatRanOutPutsNothingBack(t *testing.T) {
	w := newWorld(t)
	ws := w.withdrawers("alice", "bob")
	now := time.Now().UTC().Truncate(time.Second)
	lines := ""
	for name, until := range map[string]time.Time{"alice": now.Add(-time.Hour), "bob": now.Add(time.Hour)} {
		lines += fmt.Sprintf("%s@example.org namespaces=\"distgate\",valid-before=\"%s\" %s", name, until.Format("20060102150405Z"),
			ssh.MarshalAuthorizedKey(ws.keys[name].PublicKey()))
	}
	var err error
	ws.People.Signers, err = approval.ParseAllowedSigners("allowed_signers", strings.NewReader(lines))
	w.must(err)
	m := w.release().Manifest
	standing := func(at time.Time, want int) []publish.Withdrawn {
		t.Helper()
		list, _, err := ws.Withdrawals(context.Background(), w.store, w.release(), at)
		w.must(err)
		if len(list) != want {
			t.Fatalf("as of %s %d stand, want %d", at, len(list), want)
		}
		return list
	}
	w.withdraw(ws, "alice", publish.Withdraw(m, nil, "broken", "", now.Add(-3*time.Hour)))
	taken := standing(now, 1)
	w.withdraw(ws, "alice", publish.Withdraw(m, taken, "mistake", "", now.Add(-2*time.Hour)))
	standing(now.Add(-90*time.Minute), 0)
	standing(now, 1)
	w.withdraw(ws, "bob", publish.Withdraw(m, taken, "mistake", "", now))
	standing(now, 0)
	if _, _, err := ws.Withdrawals(context.Background(), w.store, w.release(), time.Time{}); err == nil {
		t.Error("no time, and no error")
	}
}

func TestAJobThatThePolicyDoesNotNameWithdrawsNothing(t *testing.T) {
	for name, claims := range map[string]githubtest.Claims{
		"the one that publishes": job(),
		"no environment":         githubtest.ReleaseJob("acme/widget", "withdraw.yml", "refs/tags/v1.0", ""),
		"another branch":         githubtest.ReleaseJob("acme/widget", "withdraw.yml", "refs/heads/evil", "withdraw"),
		"another repository":     githubtest.ReleaseJob("mallory/widget", "withdraw.yml", "refs/tags/v1.0", "withdraw"),
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			ws := w.withdrawers("alice")
			w.withdraw(ws, "", publish.Withdraw(w.release().Manifest, nil, "broken", "", time.Now()), claims)
			list, no, err := ws.Withdrawals(context.Background(), w.store, w.release(), time.Now())
			w.must(err)
			if len(list) != 0 || len(no) == 0 {
				t.Errorf("%+v, %v", list, no)
			}
		})
	}
}

// A withdrawal of another release, or a vote, is none of this one.
func TestARecordThatIsNoWithdrawalOfThisRelease(t *testing.T) {
	good := func(w *world) publish.Withdrawal {
		return publish.Withdraw(w.release().Manifest, nil, "broken", "", time.Now())
	}
	for name, change := range map[string]func(s *attest.Statement[publish.Withdrawal]){
		"another release": func(s *attest.Statement[publish.Withdrawal]) { s.Subject = dist.Sum(nil) },
		"another index":   func(s *attest.Statement[publish.Withdrawal]) { s.Predicate.Index = "testpypi" },
		"another version": func(s *attest.Statement[publish.Withdrawal]) { s.Predicate.Version = "1.1" },
		"no reason":       func(s *attest.Statement[publish.Withdrawal]) { s.Predicate.Reason = " " },
		"two lines":       func(s *attest.Statement[publish.Withdrawal]) { s.Predicate.Reason = "a\nb" },
		"no time":         func(s *attest.Statement[publish.Withdrawal]) { s.Predicate.Issued = time.Time{} },
		"no version to use": func(s *attest.Statement[publish.Withdrawal]) {
			s.Predicate.Instead = "the one before"
		},
		"another type": func(s *attest.Statement[publish.Withdrawal]) { s.Type = approval.VoteType },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			ws := w.withdrawers("alice")
			s := attest.Statement[publish.Withdrawal]{Name: "widget-1.0", Subject: w.release().Digest,
				Type: publish.WithdrawalType, Predicate: good(w)}
			change(&s)
			raw, err := attest.Encode(s)
			w.must(err)
			signature, err := approval.Sign(raw, ws.keys["alice"])
			w.must(err)
			w.must(w.store.Attach(context.Background(), w.release().Digest,
				staging.Record{Kind: publish.WithdrawalKind, Statement: raw, SSHSIG: signature}))
			list, no, err := ws.Withdrawals(context.Background(), w.store, w.release(), time.Now())
			w.must(err)
			if len(list) != 0 || len(no) != 1 {
				t.Errorf("%+v, %v", list, no)
			}
		})
	}
}

// What the OSV schema requires, and what databases of advisories go by.
func TestTheAdvisoryIsOSV(t *testing.T) {
	v, err := dist.ParseVersion("1.0")
	if err != nil {
		t.Fatal(err)
	}
	w := publish.Withdrawn{Version: v, Reason: "a stolen token", Instead: "0.9", Since: time.Unix(1795305600, 0).UTC()}
	raw, err := json.Marshal(w.Advisory("widget"))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"schema_version":"1.6.0","id":"PYSEC-0000-widget-1.0","modified":"2026-11-22T00:00:00Z","published":"2026-11-22T00:00:00Z",` +
		`"summary":"widget 1.0 was withdrawn","details":"widget 1.0 was withdrawn by its maintainers: a stolen token\n\nUse 0.9 instead.",` +
		`"affected":[{"package":{"ecosystem":"PyPI","name":"widget","purl":"pkg:pypi/widget"},"versions":["1.0"]}],` +
		`"references":[{"type":"PACKAGE","url":"https://pypi.org/project/widget/1.0/"}]}`
	if string(raw) != want {
		t.Errorf("got  %s\nwant %s", raw, want)
	}
}

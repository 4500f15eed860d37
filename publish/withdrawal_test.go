package publish_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
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

// osvSchema is the part of OSV's own JSON Schema that is about the members that are
// written here: their names, which are required, and the words that may stand in them
// (github.com/ossf/osv-schema, validation/schema.json).
const osvSchema = `{
  "$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object", "additionalProperties": false,
  "required": ["id", "modified"],
  "properties": {
    "schema_version": {"type": "string", "pattern": "^1\\.[0-9]+\\.[0-9]+$"},
    "id": {"type": "string", "pattern": "^PYSEC-.+$"},
    "modified": {"type": "string", "format": "date-time", "pattern": "Z$"},
    "published": {"type": "string", "format": "date-time", "pattern": "Z$"},
    "summary": {"type": "string"}, "details": {"type": "string"},
    "affected": {"type": "array", "items": {"type": "object", "additionalProperties": false, "required": ["package", "versions"],
      "properties": {
        "package": {"type": "object", "additionalProperties": false, "required": ["ecosystem", "name"], "properties": {
          "ecosystem": {"const": "PyPI"}, "name": {"type": "string", "minLength": 1}, "purl": {"type": "string", "format": "uri"}}},
        "versions": {"type": "array", "items": {"type": "string", "minLength": 1}}}}},
    "references": {"type": "array", "items": {"type": "object", "additionalProperties": false, "required": ["type", "url"], "properties": {
      "type": {"enum": ["ADVISORY", "ARTICLE", "DETECTION", "DISCUSSION", "REPORT", "FIX", "GIT", "INTRODUCED", "PACKAGE", "EVIDENCE", "WEB"]},
      "url": {"type": "string", "format": "uri"}}}}
  }
}`

func TestTheAdvisoryIsOSV(t *testing.T) {
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	schema, err := jsonschema.UnmarshalJSON(strings.NewReader(osvSchema))
	must(t, err)
	must(t, compiler.AddResource("osv.json", schema))
	osv, err := compiler.Compile("osv.json")
	must(t, err)
	for _, c := range []struct{ version, reason, instead string }{
		{"1.0", "a stolen token", "0.9"},
		{"1!2.0rc1.post1.dev2+local.1", "<b>&\u202e\"", ""},
	} {
		version, err := dist.ParseVersion(c.version)
		must(t, err)
		elsewhere := time.FixedZone("", 3600)
		w := publish.Withdrawn{Version: version, Reason: c.reason, Instead: c.instead, Since: time.Unix(1795305600, 0).In(elsewhere)}
		raw, err := json.Marshal(w.Advisory("widget"))
		must(t, err)
		instance, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
		must(t, err)
		if err := osv.Validate(instance); err != nil {
			t.Errorf("%s: %v\n%s", c.version, err, raw)
		}
		if !strings.Contains(string(raw), `"versions":["`+c.version+`"]`) {
			t.Errorf("want version %s in %s", c.version, raw)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

package approval_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/ssh"

	"github.com/distgate/distgate/approval"
	"github.com/distgate/distgate/attest"
	"github.com/distgate/distgate/staging"
	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

func records(t *testing.T, w *world, by ...string) (list []staging.Record) {
	t.Helper()
	for _, name := range by {
		list = append(list, w.cast(t, ballot{by: name}))
	}
	return list
}

func TestShow(t *testing.T) {
	w := newWorld(t)
	got := w.review(t)
	m := w.staged.Manifest()
	want := approval.Review{
		Release: w.staged.Digest(),
		Project: "widget", Version: "1.0", Index: "https://upload.pypi.org/legacy/", Environment: "pypi",
		Source: m.Source,
		Hosted: attest.Certificate,
		Files: []approval.File{{File: m.Files[0], Tags: "py3-none-any",
			Contents: w.staged.Files()[0].Info().Contents}},
		Bytes: m.Files[0].Size,
		Set: approval.Set{Wheels: 1, Pythons: []string{"py3"}, Platforms: []string{"any"}, Matrix: [][]int{{1}},
			Varied: []approval.Variation{}, Findings: []rule.Finding{{Rule: rule.SetSdist, Severity: rule.Remark, What: "no sdist"}}},
		LeftOut: []staging.LeaveOut{},
		Origin:  staging.Origin{Artifacts: []staging.Artifact{}, Replaced: []staging.Replacement{}},
		Policy:  m.Policy,
		Roots:   m.Roots,
		Voting:  approval.Voting{Need: 2, Roads: []approval.Road{approval.Signed}, MaxAge: 604800, People: w.policy.People},
	}
	ids := func(notes []approval.Note) (list []string) {
		for _, n := range notes {
			list = append(list, n.ID)
			if !strings.HasSuffix(n.Text, ".") || len(n.Text) > 200 {
				t.Errorf("%s: want short sentences, got %q", n.ID, n.Text)
			}
		}
		return list
	}
	proven := []string{"bytes", "provenance", "one-release", "expected-files", "inspected", "hosted-certificate"}
	if diff := cmp.Diff(proven, ids(got.Proven)); diff != "" {
		t.Errorf("proven (-want +got):\n%s", diff)
	}
	notProven := []string{"hosted-other-jobs", "protected-branch", "inputs", "source", "contents"}
	if diff := cmp.Diff(notProven, ids(got.NotProven)); diff != "" {
		t.Errorf("not proven (-want +got):\n%s", diff)
	}
	got.Proven, got.NotProven = nil, nil
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestShowSaysWhatIsLeftOut(t *testing.T) {
	left := staging.LeaveOut{Files: "*-win32.whl", Reason: "nobody tests it"}
	r := newWorld(t, func(p *staging.Policy) { p.LeaveOut = []staging.LeaveOut{left} }).review(t)
	said := slices.ContainsFunc(r.NotProven, func(n approval.Note) bool { return n.ID == "left-out" })
	if len(r.LeftOut) != 1 || r.LeftOut[0] != left || !said {
		t.Errorf("got %v, said: %v", r.LeftOut, said)
	}
}

// Who looks at another time, at a release opened from the store, or with a
// policy decoded in another order, sees the same page.
func TestReviewDigestIsOfTheFactsAlone(t *testing.T) {
	w := newWorld(t)
	want, err := w.review(t).Digest()
	check(t, err)
	w.staged, err = staging.Open(t.Context(), w.store, w.staged.Digest(), w.staging, w.verifier)
	check(t, err)
	w.policy.People = slices.Clone(w.policy.People)
	slices.Reverse(w.policy.People)
	got, err := w.review(t).Digest()
	check(t, err)
	if got != want {
		t.Errorf("want %s, got %s", want, got)
	}
	w.policy.Need = 3
	if got, err = w.review(t).Digest(); err != nil || got == want {
		t.Errorf("another number of approvals, the same page (%v)", err)
	}
}

func TestReviewEncodesInOneWay(t *testing.T) {
	w := newWorld(t)
	raw, err := w.review(t).Encode()
	check(t, err)
	if !strings.HasPrefix(string(raw), `{"release":"`+w.staged.Digest().String()+`","project":"widget","version":"1.0",`) ||
		!strings.HasSuffix(string(raw), "}\n") || strings.Count(string(raw), "\n") != 1 {
		t.Errorf("got %s", raw)
	}
	var back approval.Review
	check(t, json.Unmarshal(raw, &back))
	again, err := back.Encode()
	check(t, err)
	if string(again) != string(raw) {
		t.Errorf("got %s, then %s", raw, again)
	}
	if _, err := (approval.Review{}).Encode(); err == nil {
		t.Error("an empty review was encoded")
	}
}

func TestShowRefusesNothing(t *testing.T) {
	w := newWorld(t)
	if _, err := approval.Show(staging.Staged{}, w.policy); err == nil {
		t.Error("a release that was never staged is shown")
	}
	var no rule.Refusals
	if _, err := approval.Show(w.staged, approval.Policy{}); !errors.As(err, &no) {
		t.Errorf("a policy of nobody: got %v", err)
	}
}

// The statement's bytes are what people sign; another order of its fields
// would make every vote that was given worthless.
func TestStatement(t *testing.T) {
	w := newWorld(t)
	review := w.review(t)
	digest, err := review.Digest()
	check(t, err)
	got, err := review.Statement(approval.Opinion{
		Decision: approval.Reject, Acknowledged: []rule.ID{"new-pth", "new-dependency", "new-pth"}, Reason: "test keys <inside>",
		Issued: noon.Add(300 * time.Millisecond).In(time.FixedZone("", 3600)), Holds: 36 * time.Hour,
	})
	check(t, err)
	want := fmt.Sprintf(`{"_type":"https://in-toto.io/Statement/v1",`+
		`"subject":[{"name":"widget-1.0","digest":{"sha256":"%s"}}],`+
		`"predicateType":"https://github.com/distgate/distgate/vote/v1",`+
		`"predicate":{"decision":"reject","project":"widget","version":"1.0",`+
		`"index":"https://upload.pypi.org/legacy/","environment":"pypi",`+
		`"policyDigest":"%s","reviewDigest":"%s","acknowledged":["new-dependency","new-pth"],"rejections":[],`+
		`"reason":"test keys \u003cinside\u003e","issued":"2026-11-20T12:00:00Z","expires":"2026-11-22T00:00:00Z"}}`+"\n",
		w.staged.Digest().Hex(), w.staged.Manifest().Policy.Digest, digest)
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestStatementRefusesAnOpinionThatNobodyWouldCount(t *testing.T) {
	review := newWorld(t).review(t)
	good := approval.Opinion{Decision: approval.Approve, Issued: noon, Holds: time.Hour}
	for name, change := range map[string]func(*approval.Opinion){
		"no decision":         func(o *approval.Opinion) { o.Decision = "" },
		"no time":             func(o *approval.Opinion) { o.Issued = time.Time{} },
		"no duration":         func(o *approval.Opinion) { o.Holds = 0 },
		"a line break":        func(o *approval.Opinion) { o.Reason = "a\nb" },
		"a long reason":       func(o *approval.Opinion) { o.Reason = strings.Repeat("x", 1001) },
		"an ill-formed rule":  func(o *approval.Opinion) { o.Acknowledged = []rule.ID{"Seen"} },
		"a thousand findings": func(o *approval.Opinion) { o.Acknowledged = many(1000) },
	} {
		o := good
		change(&o)
		if raw, err := review.Statement(o); err == nil || raw != nil {
			t.Errorf("%s: got %q, %v", name, raw, err)
		}
	}
	if _, err := (approval.Review{}).Statement(good); err == nil {
		t.Error("a vote on nothing")
	}
}

func many(n int) (ids []rule.ID) {
	for i := range n {
		ids = append(ids, rule.ID(fmt.Sprintf("rule-%d", i)))
	}
	return ids
}

// A vote that ssh-keygen signs counts, and ssh-keygen verifies one of ours
// with the same allowed_signers file.
func TestVotesBySSHKeygen(t *testing.T) {
	if _, err := exec.LookPath("ssh-keygen"); err != nil && os.Getenv("DISTGATE_PEERS") != "required" {
		t.Skip("ssh-keygen is not installed")
	}
	w, dir := newWorld(t), t.TempDir()
	put := func(name string, content []byte) { check(t, os.WriteFile(filepath.Join(dir, name), content, 0o600)) }
	run := func(stdin []byte, args ...string) {
		t.Helper()
		cmd := exec.Command("ssh-keygen", args...)
		cmd.Dir, cmd.Stdin = dir, strings.NewReader(string(stdin))
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("ssh-keygen %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}

	run(nil, "-q", "-t", "ed25519", "-N", "", "-f", "key")
	private, err := os.ReadFile(filepath.Join(dir, "key"))
	check(t, err)
	key, err := ssh.ParsePrivateKey(private)
	check(t, err)
	w.keys["bob"] = key
	file := signers(w.keys)
	put("allowed_signers", []byte(file))
	w.policy.Signers, err = approval.ParseAllowedSigners("allowed_signers", strings.NewReader(file))
	check(t, err)
	w.staging.Files[1].Raw = []byte(file)
	w.stage(t)

	theirs, err := w.review(t).Statement(approval.Opinion{Decision: approval.Approve, Issued: noon, Holds: time.Hour})
	check(t, err)
	put("statement.json", theirs)
	run(nil, "-Y", "sign", "-n", approval.Namespace, "-f", "key", "statement.json")
	signature, err := os.ReadFile(filepath.Join(dir, "statement.json.sig"))
	check(t, err)
	ours := w.cast(t, ballot{by: "alice's token"})
	votes := []staging.Record{ours, {Kind: approval.RecordKind, Statement: theirs, SSHSIG: signature}}
	a, err := approval.Check(w.staged, votes, theRun, w.policy, noon)
	check(t, err)
	if got := a.Ballots()[1].Key; got != ssh.FingerprintSHA256(key.PublicKey()) || len(a.Refused()) != 0 {
		t.Errorf("signed by %s, refused %v", got, a.Refused())
	}

	put("ours.sig", ours.SSHSIG)
	run(ours.Statement, "-Y", "verify", "-f", "allowed_signers", "-I", "alice@example.com",
		"-n", approval.Namespace, "-s", "ours.sig")
}

func FuzzVote(f *testing.F) {
	w := newWorld(f)
	for _, b := range []ballot{{by: "alice"}, {by: "bob", reject: true}} {
		f.Add(w.cast(f, b).Statement)
	}
	f.Fuzz(func(t *testing.T, statement []byte) {
		// Signed by somebody on the list, whatever it is: one of two votes, a no, or
		// nothing that can be decided.
		r := staging.Record{Kind: approval.RecordKind, Statement: statement}
		var err error
		if r.SSHSIG, err = approval.Sign(statement, w.keys["alice"]); err != nil {
			t.Fatal(err)
		}
		_, err = approval.Check(w.staged, []staging.Record{r}, theRun, w.policy, noon)
		var wait approval.Waiting
		var no rule.Refusals
		unread := err != nil && strings.Contains(err.Error(), "could be a rejection")
		if !errors.As(err, &wait) && !errors.As(err, &no) && !unread {
			t.Fatalf("one vote of two: got %v", err)
		}
		if wait.Have == 1 && dist.Sum(statement) != wait.Ballots[0].Statement {
			t.Fatal("another statement was counted")
		}
	})
}

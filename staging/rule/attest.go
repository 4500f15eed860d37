package rule

// The rules that attest judges by.
const (
	BundleMissing   ID = "bundle-missing"
	BundleMalformed ID = "bundle-malformed"
	BundleSize      ID = "bundle-size"
	BundleStatement ID = "bundle-statement"

	RootMalformed ID = "root-malformed"
	RootUnknown   ID = "root-unknown"

	SignatureInvalid ID = "signature-invalid"

	SubjectMissing   ID = "subject-missing"
	SubjectDigest    ID = "subject-digest"
	SubjectName      ID = "subject-name"
	SubjectAmbiguous ID = "subject-ambiguous"

	IdentityIssuer      ID = "identity-issuer"
	IdentitySigner      ID = "identity-signer"
	IdentityRepository  ID = "identity-repository"
	IdentityID          ID = "identity-id"
	IdentityWorkflow    ID = "identity-workflow"
	IdentityRef         ID = "identity-ref"
	IdentityRunner      ID = "identity-runner"
	IdentityTrigger     ID = "identity-trigger"
	IdentityEnvironment ID = "identity-environment"
	IdentitySubject     ID = "identity-subject"

	HostedJob ID = "hosted-job"

	PredicateType      ID = "predicate-type"
	PredicateMalformed ID = "predicate-malformed"
	PredicateBuildType ID = "predicate-build-type"
	PredicateParameter ID = "predicate-parameter"
	PredicateField     ID = "predicate-field"

	CandidateMissing ID = "candidate-missing"
	CandidateDoubled ID = "candidate-doubled"
	CandidateRegular ID = "candidate-regular"
)

var attestStories = map[ID]string{
	BundleMissing: `Every distribution needs a Sigstore bundle that says where it was built. None was
found for this file. A build attests with actions/attest; the bundle lies beside the file as
NAME.sigstore.json, NAME.*.attestation, NAME.provenance or in a *.jsonl file, or is named by --bundle.`,
	BundleMalformed: `The file is none of what distgate reads as evidence: a Sigstore bundle v0.1 to v0.3
(JSON or JSON lines), a PEP 740 attestation, or a PEP 740 provenance object. A bare DSSE envelope is not
one either: it carries no certificate and no log entry, so nobody could check it offline.`,
	BundleSize: `Bundles are a few kilobytes. A file beyond the bound is not read further, so that no
file from outside can fill the memory of the machine that checks it.`,
	BundleStatement: `What was signed must be an in-toto Statement, v0.1 or v1, in a DSSE envelope with
one signature. A bundle over the bare bytes of a file names no file and no predicate, and JSON with one key
written twice can be read in two ways; both are refused.`,
	RootMalformed: `A trusted root says whose certificates, logs and timestamps are believed. One that
cannot be read, has no certificate authority, or has neither a log nor a timestamp authority would let
a signature pass without a time, and is refused as a whole.`,
	RootUnknown: `The certificate was issued by an organisation that none of the trusted roots names. The
public-good instance and GitHub's own are separate roots; a private repository's attestations need
GitHub's. Add the root to the policy only if you mean to trust it.`,
	SignatureInvalid: `The bundle does not verify under its trusted root: certificate chain, signed
certificate timestamp, log entry, time or signature. The text says which. A changed byte anywhere in the
bundle ends here; fetch the bundle again from where it was made.`,
	SubjectMissing: `The signed statement names neither this file nor its digest. It is evidence for
something else.`,
	SubjectDigest: `The signed statement names this file, but with other bytes: the file was changed, or
built again, after it was attested. Use the file that was attested.`,
	SubjectName: `The signed statement knows these bytes under another file name. A wheel that is renamed
claims another platform or version than the one it was built for; use the name it was attested under.`,
	SubjectAmbiguous: `A statement that gives one name two digests, or one digest two names, could be
evidence for either. Attest each file once, under one name.`,
	IdentityIssuer: `Fulcio wrote into the certificate who vouched for the signer (OID .8). For GitHub
Actions that is https://token.actions.githubusercontent.com and nothing else.`,
	IdentitySigner: `The signer (SAN and OID .9) is the workflow file that held the signing job, with its
ref. It is compared whole; and where the workflow itself signs, both are of one commit (OID .10, .19). Where
builds sign through a reusable workflow, name that one as signer.`,
	IdentityRepository: `The certificate's source repository (OID .12) must be the policy's, whole and
exactly. A fork has another.`,
	IdentityID: `A repository's and an owner's name can be given up and taken by someone else; their
numeric ids (OID .15, .17) cannot. The policy pins them.`,
	IdentityWorkflow: `The top-level workflow of the run (OID .18) must be the file that the policy
names, at the certificate's own ref or commit, and of the commit that was built (OID .19). Another workflow of
the same repository is not the release build.`,
	IdentityRef: `The certificate's ref (OID .14) must be one that the policy names. A pull request or a
feature branch can run the same workflow file with other contents.`,
	IdentityRunner: `GitHub says in the certificate (OID .11) whether the signing job ran on its own
runners. A self-hosted machine keeps what earlier jobs left there. The certificate speaks of the signing
job only.`,
	IdentityTrigger: `The event that started the run (OID .20) must be on the policy's list; by default
push, release and workflow_dispatch. pull_request_target and workflow_run let outsiders steer a trusted
run.`,
	IdentityEnvironment: `Newer certificates name the deployment environment of the signing job
(OID .23). Where it is there, it must be the policy's.`,
	IdentitySubject: `Newer certificates carry the ID token's raw subject (OID .24). Where it is there,
it must speak of the same repository, in the old form (repo:OWNER/NAME:) or the immutable one
(repo:OWNER@ID/NAME@ID:).`,
	HostedJob: `The certificate speaks of the job that signed, and of no other: a wheel that was built on
somebody's own machine can be signed on GitHub's. So GitHub is asked where every job of every attempt of
the run ran, those of an attempt that was thrown away among them, since artifacts belong to the run. Each
must have had a runner of the group 0, named GitHub Actions, and labels that the policy lists. Names and
labels are chosen by whoever registers a runner; the group 0 is GitHub's alone.`,
	PredicateType: `Only predicates that distgate understands count: SLSA provenance v0.2 and v1, and
PyPI's publish/v1 where a publish attestation is enough. To stage, SLSA provenance is demanded.`,
	PredicateMalformed: `The predicate is not what its type says: a field is missing, of another JSON
type, or nested beyond reason.`,
	PredicateBuildType: `The build type says what the fields of a provenance mean. One that is not in
the table cannot be compared with the certificate, so it proves nothing.`,
	PredicateParameter: `The provenance carries an external parameter that its build type does not
define. A parameter that nobody understands may have changed the build.`,
	PredicateField: `The job itself writes the predicate and could write anything. Every field that the
build type defines must say what the certificate says, which the job cannot write.`,
	CandidateMissing: `There is nothing to judge. An empty set is not a verified set: name the wheels and
the sdist, or the folder that holds them.`,
	CandidateRegular: `Something bears the name of a distribution or a bundle and is a pipe, a device, a
socket or a folder. Reading it could wait for ever, and its bytes could be others each time.`,
	CandidateDoubled: `Two candidates share one file name or the same bytes. PyPI accepts neither, and a
reader could not tell which one was verified.`,
}

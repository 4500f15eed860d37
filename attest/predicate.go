package attest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/distgate/distgate/staging/rule"
)

// The build types whose fields this package knows.
const (
	githubWorkflow    = "https://actions.github.io/buildtypes/workflow/v1"
	slsaWorkflow      = "https://slsa-framework.github.io/github-actions-buildtypes/workflow/v1"
	generatorGeneric  = "https://github.com/slsa-framework/slsa-github-generator/generic@v1"
	generatorGo       = "https://github.com/slsa-framework/slsa-github-generator/go@v1"
	hostedRunnerBuild = "https://github.com/actions/runner/github-hosted"
)

// field is one field of a predicate beside what the certificate says of it.
type field struct {
	name string
	want string // "" is never equal
	got  string
}

// buildTypes says, for each build type, which fields it defines and what each
// must equal. This is the whole of what provenance is believed for.
var buildTypes = map[string]func(predicate json.RawMessage, c certificate) ([]field, error){
	ProvenanceV1 + " " + githubWorkflow:    githubFields,
	ProvenanceV1 + " " + slsaWorkflow:      slsaFields,
	ProvenanceV02 + " " + generatorGeneric: generatorFields,
	ProvenanceV02 + " " + generatorGo:      generatorFields,
}

// agrees compares the predicate with the certificate and returns its build
// type ("" for publish/v1, which has none).
func (s statement) agrees(file string, c certificate) (buildType string, no rule.Refusals) {
	if s.PredicateType == PublishV1 {
		return "", s.publishes(file)
	}
	buildType, err := s.buildType()
	if err != nil {
		return "", malformed(file, s.PredicateType, err.Error())
	}
	read, ok := buildTypes[s.PredicateType+" "+buildType]
	if !ok {
		return buildType, rule.Refusals{{File: file, Rule: rule.PredicateBuildType,
			Want: "a build type of GitHub Actions or slsa-github-generator that is in the table",
			Got:  orNothing(buildType), Hint: "attest the build with actions/attest"}}
	}
	fields, err := read(s.Predicate, c)
	if parameter, ok := err.(unknownParameter); ok {
		return buildType, rule.Refusals{{File: file, Rule: rule.PredicateParameter,
			Want: "only the external parameters of " + buildType, Got: string(parameter),
			Hint: "attest the build with an unchanged actions/attest"}}
	}
	if err != nil {
		return buildType, malformed(file, s.PredicateType, err.Error())
	}
	for _, f := range fields {
		if f.want == "" || f.want != f.got {
			no = append(no, rule.Refusal{File: file, Rule: rule.PredicateField,
				Want: f.name + " " + orNothing(f.want) + " (as the certificate says)", Got: orNothing(f.got),
				Hint: "the provenance contradicts its certificate; do not use it"})
		}
	}
	return buildType, no
}

func malformed(file, typ, got string) rule.Refusals {
	return rule.Refusals{{File: file, Rule: rule.PredicateMalformed, Want: "a predicate of type " + typ,
		Got: got, Hint: "attest the build again with actions/attest"}}
}

// unknownParameter names external parameters that the table does not define.
type unknownParameter string

func (p unknownParameter) Error() string { return string(p) }

// typed is where SLSA provenance has its build type.
type typed struct {
	BuildType       string `json:"buildType"` // v0.2
	BuildDefinition struct {
		BuildType string `json:"buildType"` // v1
	} `json:"buildDefinition"`
}

func (s statement) buildType() (string, error) {
	var p typed
	if err := decode(s.Predicate, &p); err != nil {
		return "", err
	}
	if s.PredicateType == ProvenanceV02 {
		return p.BuildType, nil
	}
	return p.BuildDefinition.BuildType, nil
}

// publishes judges PEP 740's publish/v1: an empty predicate (null or {}) and
// exactly one subject.
func (s statement) publishes(file string) rule.Refusals {
	empty := bytes.Equal(s.Predicate, []byte("null")) || bytes.Equal(bytes.Join(bytes.Fields(s.Predicate), nil), []byte("{}"))
	if !empty || len(s.Subject) != 1 {
		return malformed(file, PublishV1, fmt.Sprintf("%d subjects and the predicate %.80s", len(s.Subject), s.Predicate))
	}
	return nil
}

// provenanceV1 is SLSA provenance v1 as GitHub's build types write it.
type provenanceV1 struct {
	BuildDefinition struct {
		ExternalParameters json.RawMessage `json:"externalParameters"`
		InternalParameters struct {
			GitHub struct {
				EventName         string `json:"event_name"`
				RepositoryID      string `json:"repository_id"`
				RepositoryOwnerID string `json:"repository_owner_id"`
				RunnerEnvironment string `json:"runner_environment"`
			} `json:"github"`
		} `json:"internalParameters"`
		ResolvedDependencies []struct {
			URI    string `json:"uri"`
			Digest struct {
				GitCommit string `json:"gitCommit"`
			} `json:"digest"`
		} `json:"resolvedDependencies"`
	} `json:"buildDefinition"`
	RunDetails struct {
		Builder struct {
			ID string `json:"id"`
		} `json:"builder"`
		Metadata struct {
			InvocationID string `json:"invocationId"`
		} `json:"metadata"`
	} `json:"runDetails"`
}

type workflowParameters struct {
	Workflow struct {
		Ref        string `json:"ref"`
		Repository string `json:"repository"`
		Path       string `json:"path"`
	} `json:"workflow"`
}

// githubFields are those of actions.github.io/buildtypes/workflow/v1.
func githubFields(predicate json.RawMessage, c certificate) ([]field, error) {
	p, fields, err := workflowFields(predicate, c)
	return append(fields,
		field{"builder.id", c.Signer, p.RunDetails.Builder.ID},
		field{"github.runner_environment", c.Runner,
			p.BuildDefinition.InternalParameters.GitHub.RunnerEnvironment}), err
}

// slsaFields are those of the older slsa-framework.github.io build type, whose
// builder is a constant and which does not name the runner otherwise.
func slsaFields(predicate json.RawMessage, c certificate) ([]field, error) {
	p, fields, err := workflowFields(predicate, c)
	return append(fields, field{"builder.id", hostedRunnerBuild, p.RunDetails.Builder.ID}), err
}

func workflowFields(predicate json.RawMessage, c certificate) (provenanceV1, []field, error) {
	var p provenanceV1
	if err := decode(predicate, &p); err != nil {
		return p, nil, err
	}
	var external workflowParameters
	if err := decodeStrictly(p.BuildDefinition.ExternalParameters, &external); err != nil {
		return p, nil, unknownParameter(err.Error())
	}
	if n := len(p.BuildDefinition.ResolvedDependencies); n != 1 {
		return p, nil, fmt.Errorf("%d resolved dependencies instead of the source alone", n)
	}
	source := p.BuildDefinition.ResolvedDependencies[0]
	github := p.BuildDefinition.InternalParameters.GitHub
	return p, []field{
		{"workflow.repository", c.Repository, external.Workflow.Repository},
		{"workflow.path", c.workflowPath(), external.Workflow.Path},
		{"workflow.ref", c.Ref, external.Workflow.Ref},
		{"github.event_name", c.Trigger, github.EventName},
		{"github.repository_id", c.RepositoryID, github.RepositoryID},
		{"github.repository_owner_id", c.OwnerID, github.RepositoryOwnerID},
		{"resolvedDependencies.uri", c.source(), source.URI},
		{"resolvedDependencies.gitCommit", c.Commit, source.Digest.GitCommit},
		{"invocationId", c.Run, p.RunDetails.Metadata.InvocationID},
	}, nil
}

// provenanceV02 is SLSA provenance v0.2 as slsa-github-generator writes it.
type provenanceV02 struct {
	Builder struct {
		ID string `json:"id"`
	} `json:"builder"`
	Invocation struct {
		ConfigSource generatorSource `json:"configSource"`
		Parameters   json.RawMessage `json:"parameters"`
		Environment  struct {
			EventName         string `json:"github_event_name"`
			Ref               string `json:"github_ref"`
			RepositoryID      string `json:"github_repository_id"`
			RepositoryOwnerID string `json:"github_repository_owner_id"`
			RunAttempt        string `json:"github_run_attempt"`
			RunID             string `json:"github_run_id"`
			SHA1              string `json:"github_sha1"`
		} `json:"environment"`
	} `json:"invocation"`
	Metadata struct {
		BuildInvocationID string `json:"buildInvocationID"`
	} `json:"metadata"`
	Materials []generatorSource `json:"materials"`
}

type generatorSource struct {
	URI    string `json:"uri"`
	Digest struct {
		SHA1 string `json:"sha1"`
	} `json:"digest"`
	EntryPoint string `json:"entryPoint"`
}

// generatorFields are those of slsa-github-generator's generic@v1 and go@v1.
func generatorFields(predicate json.RawMessage, c certificate) ([]field, error) {
	var p provenanceV02
	if err := decode(predicate, &p); err != nil {
		return nil, err
	}
	if parameters := string(p.Invocation.Parameters); parameters != "" && parameters != "null" && parameters != "{}" {
		return nil, unknownParameter("invocation.parameters " + parameters)
	}
	if len(p.Materials) == 0 {
		return nil, fmt.Errorf("no materials")
	}
	env := p.Invocation.Environment
	return []field{
		{"builder.id", c.Signer, p.Builder.ID},
		{"configSource.uri", c.source(), p.Invocation.ConfigSource.URI},
		{"configSource.digest.sha1", c.Commit, p.Invocation.ConfigSource.Digest.SHA1},
		{"configSource.entryPoint", c.workflowPath(), p.Invocation.ConfigSource.EntryPoint},
		{"materials.uri", c.source(), p.Materials[0].URI},
		{"materials.digest.sha1", c.Commit, p.Materials[0].Digest.SHA1},
		{"github_event_name", c.Trigger, env.EventName},
		{"github_ref", c.Ref, env.Ref},
		{"github_repository_id", c.RepositoryID, env.RepositoryID},
		{"github_repository_owner_id", c.OwnerID, env.RepositoryOwnerID},
		{"github_sha1", c.Commit, env.SHA1},
		{"github_run_id and github_run_attempt", c.Run,
			c.Repository + "/actions/runs/" + env.RunID + "/attempts/" + env.RunAttempt},
		{"buildInvocationID", env.RunID + "-" + env.RunAttempt, p.Metadata.BuildInvocationID},
	}, nil
}

// source is the source as a Git URI: git+REPOSITORY@REF.
func (c certificate) source() string {
	return "git+" + c.Repository + "@" + c.Ref
}

// workflowPath is the path in .18, which is REPOSITORY/PATH@R with R the
// certificate's own ref or commit; "" where it is not.
func (c certificate) workflowPath() string {
	path, ok := strings.CutPrefix(c.Workflow, c.Repository+"/")
	for _, r := range []string{c.Ref, c.Commit} {
		if p, at := strings.CutSuffix(path, "@"+r); ok && at && r != "" {
			return p
		}
	}
	return ""
}

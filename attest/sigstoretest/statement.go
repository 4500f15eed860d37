package sigstoretest

import (
	"bytes"
	"encoding/json"
	"strings"
)

// A Subject is a file that a statement speaks of.
type Subject struct {
	Name   string
	SHA256 string // 64 lower hex digits
}

// Provenance returns the in-toto statement that actions/attest makes of the job with the claims:
// SLSA provenance v1 of the build type actions.github.io/buildtypes/workflow/v1.
func Provenance(c Claims, subjects ...Subject) []byte {
	var p provenance
	file, _, _ := strings.Cut(strings.TrimPrefix(c.WorkflowRef, c.Repository+"/"), "@")
	definition := &p.BuildDefinition
	definition.BuildType = "https://actions.github.io/buildtypes/workflow/v1"
	definition.ExternalParameters.Workflow = workflow{c.Ref, github + c.Repository, file}
	definition.InternalParameters.GitHub = origin{
		c.EventName, c.RepositoryID, c.RepositoryOwnerID, c.RunnerEnvironment,
	}
	definition.ResolvedDependencies = []dependency{{
		URI:    "git+" + github + c.Repository + "@" + c.Ref,
		Digest: map[string]string{"gitCommit": c.SHA},
	}}
	p.RunDetails.Builder.ID = github + c.JobWorkflowRef
	p.RunDetails.Metadata.InvocationID = c.RunURI()
	return encode("https://slsa.dev/provenance/v1", subjects, p)
}

// Publish returns the statement of PEP 740 by which a publisher says that it uploads the file.
func Publish(name, sha256 string) []byte {
	return encode("https://docs.pypi.org/attestations/publish/v1", []Subject{{name, sha256}}, nil)
}

// provenance is the predicate, in the order in which actions/attest writes it.
type provenance struct {
	BuildDefinition struct {
		BuildType          string `json:"buildType"`
		ExternalParameters struct {
			Workflow workflow `json:"workflow"`
		} `json:"externalParameters"`
		InternalParameters struct {
			GitHub origin `json:"github"`
		} `json:"internalParameters"`
		ResolvedDependencies []dependency `json:"resolvedDependencies"`
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

type workflow struct {
	Ref        string `json:"ref"`
	Repository string `json:"repository"`
	Path       string `json:"path"`
}

type origin struct {
	EventName         string `json:"event_name"`
	RepositoryID      string `json:"repository_id"`
	RepositoryOwnerID string `json:"repository_owner_id"`
	RunnerEnvironment string `json:"runner_environment"`
}

type dependency struct {
	URI    string            `json:"uri"`
	Digest map[string]string `json:"digest"`
}

// encode writes an in-toto Statement v1.
func encode(predicateType string, subjects []Subject, predicate any) []byte {
	type subject struct {
		Name   string            `json:"name"`
		Digest map[string]string `json:"digest"`
	}
	statement := struct {
		Type          string    `json:"_type"`
		Subject       []subject `json:"subject"`
		PredicateType string    `json:"predicateType"`
		Predicate     any       `json:"predicate"`
	}{"https://in-toto.io/Statement/v1", []subject{}, predicateType, predicate}
	for _, s := range subjects {
		statement.Subject = append(statement.Subject,
			subject{s.Name, map[string]string{"sha256": s.SHA256}})
	}
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(statement) // of strings, which cannot fail
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

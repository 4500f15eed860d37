package attest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"strings"
	"unicode"

	protodsse "github.com/sigstore/protobuf-specs/gen/pb-go/dsse"

	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

const (
	statementV01 = "https://in-toto.io/Statement/v0.1"
	statementV1  = "https://in-toto.io/Statement/v1"

	maxSubjects = 1024 // what actions/attest writes at the most
	maxDepth    = 64   // of JSON nesting
)

// statement is an in-toto Statement, v0.1 or v1, as far as it is read before
// the predicate's type is known.
type statement struct {
	Type          string          `json:"_type"`
	Subject       []subject       `json:"subject"`
	PredicateType string          `json:"predicateType"`
	Predicate     json.RawMessage `json:"predicate"`
}

type subject struct {
	Name   string            `json:"name"`
	Digest map[string]string `json:"digest"`
}

// readEnvelope reads the statement out of a DSSE envelope whose signature is
// not yet verified.
func readEnvelope(file string, e *protodsse.Envelope) (statement, error) {
	refused := func(got string) error {
		return rule.Refusals{{File: file, Rule: rule.BundleStatement,
			Want: "an in-toto Statement in a DSSE envelope with one signature", Got: got,
			Hint: "attest the file with actions/attest, which writes such a statement"}}
	}
	switch {
	case e == nil:
		return statement{}, refused("a signature over bare bytes")
	case e.GetPayloadType() != inTotoPayload:
		return statement{}, refused("payload type " + e.GetPayloadType())
	case len(e.GetSignatures()) != 1:
		return statement{}, refused(fmt.Sprintf("%d signatures", len(e.GetSignatures())))
	}
	s, err := parseStatement(e.GetPayload())
	if err != nil {
		return statement{}, refused(err.Error())
	}
	return s, nil
}

func parseStatement(raw []byte) (statement, error) {
	var s statement
	err := checkKeys(raw, reflect.TypeFor[statement](), reflect.TypeFor[provenanceV1](), reflect.TypeFor[workflowParameters]())
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal(raw, &s); err != nil {
		return s, errors.New("JSON of another shape")
	}
	switch {
	case s.Type != statementV01 && s.Type != statementV1:
		return s, fmt.Errorf("_type %q", s.Type)
	case len(s.Subject) == 0:
		return s, errors.New("no subject")
	case len(s.Subject) > maxSubjects:
		return s, fmt.Errorf("%d subjects", len(s.Subject))
	}
	return s, nil
}

// index finds a statement's subjects by name and by SHA-256. Ambiguous says
// which name has two digests, or which digest two names, in the whole
// statement.
type index struct {
	byName, byDigest map[string]string
	ambiguous        string
}

func indexOf(subjects []subject) index {
	i := index{byName: map[string]string{}, byDigest: map[string]string{}}
	for _, s := range subjects {
		digest := s.Digest["sha256"]
		if digest == "" || s.Name == "" {
			continue
		}
		if other, ok := i.byName[s.Name]; ok && other != digest {
			i.ambiguous = "two digests for " + s.Name
		}
		if other, ok := i.byDigest[digest]; ok && other != s.Name {
			i.ambiguous = "two names, " + other + " and " + s.Name + ", for sha256:" + digest
		}
		i.byName[s.Name], i.byDigest[digest] = digest, s.Name
	}
	return i
}

// Covers reports whether the bundle claims to be about the file, by name and
// digest.
func (b Bundle) Covers(f dist.File) bool {
	return b.entity != nil && b.covers(f.Name(), f.Digest()) == nil
}

// covers judges whether the bundle's statement is about the file: name and
// digest must agree. Where it is not, the refusals say why.
func (b Bundle) covers(file string, d dist.Digest) rule.Refusals {
	refused := func(id rule.ID, want, got, hint string) rule.Refusals {
		return rule.Refusals{{File: file, Rule: id, Want: want, Got: got, Hint: hint}}
	}
	digest, named := b.subjects.byName[file]
	name, hashed := b.subjects.byDigest[d.Hex()]
	switch {
	case b.subjects.ambiguous != "":
		return refused(rule.SubjectAmbiguous, "one digest for each name in "+b.file, b.subjects.ambiguous,
			"attest each file once, under one name")
	case named && digest == d.Hex():
		return nil
	case named:
		return refused(rule.SubjectDigest, "sha256:"+digest+" (as "+b.file+" says)", d.String(),
			"use the file that was attested; this one was changed or built again")
	case hashed:
		return refused(rule.SubjectName, "the name "+name+" (as "+b.file+" says)", file,
			"give the file the name it was attested under")
	}
	return refused(rule.SubjectMissing, "a subject with this name and digest",
		b.file+" is about "+b.statement.about(), "find the bundle that was made for this file")
}

// about names the subjects in a few words.
func (s statement) about() string {
	first := s.Subject[0].Name
	if first == "" {
		first = "a subject without a name"
	}
	if _, ok := s.Subject[0].Digest["sha256"]; !ok {
		first += " (without sha256)"
	}
	if n := len(s.Subject) - 1; n > 0 {
		return fmt.Sprintf("%s and %d more", first, n)
	}
	return first
}

// checkKeys refuses JSON that two readers could understand differently: an
// object with one key twice, a key of the types written in another way (for
// encoding/json folds case, and takes "ſubject" for "subject"), anything after
// the value, or nesting beyond reason.
func checkKeys(raw []byte, types ...reflect.Type) error {
	known := keysOf(types...)
	tokens := json.NewDecoder(bytes.NewReader(raw))
	type object struct {
		keys map[string]bool // nil for an array
		key  bool            // the next string is a key
	}
	var open []object
	for {
		token, err := tokens.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return errors.New("not JSON")
		}
		top := len(open) - 1
		if text, ok := token.(string); ok && top >= 0 && open[top].key {
			folded := fold(text)
			if open[top].keys[folded] {
				return fmt.Errorf("the key %q twice in one object", text)
			}
			if ours, ok := known[folded]; ok && ours != text {
				return fmt.Errorf("the key %q for %q", text, ours)
			}
			open[top].keys[folded], open[top].key = true, false
			continue
		}
		switch token {
		case json.Delim('{'):
			open = append(open, object{keys: map[string]bool{}, key: true})
		case json.Delim('['):
			open = append(open, object{})
		case json.Delim('}'), json.Delim(']'):
			open = open[:top]
			fallthrough
		default:
			if top = len(open) - 1; top >= 0 {
				open[top].key = open[top].keys != nil
			} else if tokens.More() {
				return errors.New("more than one JSON value")
			}
		}
		if len(open) > maxDepth {
			return errors.New("JSON nested too deeply")
		}
	}
}

// keysOf are the keys of the structs, by what each folds to.
func keysOf(types ...reflect.Type) map[string]string {
	keys := map[string]string{}
	for _, t := range types {
		for t.Kind() == reflect.Slice {
			t = t.Elem()
		}
		for i := 0; t.Kind() == reflect.Struct && i < t.NumField(); i++ {
			key, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
			keys[fold(key)] = key
			maps.Copy(keys, keysOf(t.Field(i).Type))
		}
	}
	return keys
}

// fold is what encoding/json compares keys by: of all the runes that differ in
// case alone, the first.
func fold(key string) string {
	return strings.Map(func(r rune) rune {
		first := r
		for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
			first = min(first, next)
		}
		return first
	}, key)
}

// decodeStrictly decodes one JSON value, without doubled or unknown keys.
func decodeStrictly(raw []byte, into any) error {
	if err := checkKeys(raw, reflect.TypeOf(into).Elem()); err != nil {
		return err
	}
	values := json.NewDecoder(bytes.NewReader(raw))
	values.DisallowUnknownFields()
	return values.Decode(into)
}

// Statement is an in-toto Statement v1 with one subject, whose predicate is P.
// It is how distgate's own records speak about a release.
type Statement[P any] struct {
	Name      string // of the subject
	Subject   dist.Digest
	Type      string // predicateType
	Predicate P
}

// Encode is the statement's one encoding: fields in a fixed order, no blanks,
// a newline at the end.
func Encode[P any](s Statement[P]) ([]byte, error) {
	if s.Name == "" || s.Subject.IsZero() || s.Type == "" {
		return nil, errors.New("a statement needs a subject's name, its digest and a predicate type")
	}
	predicate, err := json.Marshal(s.Predicate)
	if err != nil {
		return nil, err
	}
	raw, err := json.Marshal(statement{Type: statementV1, PredicateType: s.Type, Predicate: predicate,
		Subject: []subject{{Name: s.Name, Digest: map[string]string{"sha256": s.Subject.Hex()}}}})
	return append(raw, '\n'), err
}

// Decode reads what Encode wrote and nothing else: the bytes must be the
// statement's one encoding and its predicate of the type wanted. Refusals name
// the file.
func Decode[P any](file string, raw []byte, typ string) (Statement[P], error) {
	s, err := decodeStatement[P](raw, typ)
	if err != nil {
		return Statement[P]{}, rule.Refusals{{File: file, Rule: rule.BundleStatement,
			Want: "a statement of type " + typ + " in its one encoding", Got: err.Error(),
			Hint: "use the bytes that were written, unchanged"}}
	}
	return s, nil
}

func decodeStatement[P any](raw []byte, typ string) (Statement[P], error) {
	var s Statement[P]
	in, err := parseStatement(raw)
	if err != nil {
		return s, err
	}
	if in.PredicateType != typ || len(in.Subject) != 1 {
		return s, fmt.Errorf("predicate type %q with %d subjects", in.PredicateType, len(in.Subject))
	}
	s.Name, s.Type = in.Subject[0].Name, in.PredicateType
	if s.Subject, err = dist.ParseDigest("sha256:" + in.Subject[0].Digest["sha256"]); err != nil {
		return s, err
	}
	if err := decodeStrictly(in.Predicate, &s.Predicate); err != nil {
		return s, err
	}
	again, err := Encode(s)
	if err != nil {
		return s, err
	}
	if !bytes.Equal(again, raw) {
		return s, errors.New("another encoding of it")
	}
	return s, nil
}

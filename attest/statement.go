package attest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"unicode"
	"unicode/utf8"

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
	if err := decode(raw, &s); err != nil {
		return s, err
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
// object with one key twice, a key of the type written in another way (for
// encoding/json folds case, and takes "ſubject" for "subject"), anything after
// the value, bytes that are no text, or nesting beyond reason. What the type leaves open (as
// [json.RawMessage]) may have whatever other keys it likes.
func checkKeys(raw []byte, shape reflect.Type) error {
	if !utf8.Valid(raw) {
		return errors.New("text that is not UTF-8")
	}
	tokens := json.NewDecoder(bytes.NewReader(raw))
	tokens.UseNumber()
	if err := checkValue(tokens, shape, 0); err != nil {
		return err
	}
	if _, err := tokens.Token(); !errors.Is(err, io.EOF) {
		return errors.New("more than one JSON value")
	}
	return nil
}

func checkValue(tokens *json.Decoder, shape reflect.Type, depth int) error {
	token, err := tokens.Token()
	switch {
	case err != nil:
		return errors.New("not JSON")
	case token != json.Delim('{') && token != json.Delim('['):
		return nil
	case depth == maxDepth:
		return errors.New("JSON nested too deeply")
	}
	known, element, seen := keysOf(shape), elementOf(shape), map[string]bool{}
	for tokens.More() {
		inside := element
		if token == json.Delim('{') {
			if inside, err = checkKey(tokens, known, element, seen); err != nil {
				return err
			}
		}
		if err := checkValue(tokens, inside, depth+1); err != nil {
			return err
		}
	}
	if _, err := tokens.Token(); err != nil {
		return errors.New("not JSON")
	}
	return nil
}

// checkKey reads a key and returns the type of what stands under it; of a key that
// no struct knows, other.
func checkKey(tokens *json.Decoder, known map[string]key, other reflect.Type, seen map[string]bool) (reflect.Type, error) {
	token, err := tokens.Token()
	text, ok := token.(string)
	if err != nil || !ok {
		return nil, errors.New("not JSON")
	}
	if seen[text] {
		return nil, fmt.Errorf("the key %q twice in one object", text)
	}
	seen[text] = true
	ours, ok := known[fold(text)]
	switch {
	case !ok && len(known) > 0:
		return nil, nil
	case !ok:
		return other, nil
	case ours.name != text:
		return nil, fmt.Errorf("the key %q for %q", text, ours.name)
	}
	return ours.inside, nil
}

// key is a key of a struct, and the type of what stands under it.
type key struct {
	name   string
	inside reflect.Type
}

// keysOf are the keys of a struct, by what each folds to; a type of another kind has
// none.
func keysOf(shape reflect.Type) map[string]key {
	if shape == nil || shape.Kind() != reflect.Struct {
		return nil
	}
	keys := map[string]key{}
	for _, field := range reflect.VisibleFields(shape) {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if name == "" {
			name = field.Name
		}
		if field.IsExported() && name != "-" {
			keys[fold(name)] = key{name, pointed(field.Type)}
		}
	}
	return keys
}

// elementOf is what a list or a map holds.
func elementOf(shape reflect.Type) reflect.Type {
	if shape == nil {
		return nil
	}
	switch shape.Kind() {
	case reflect.Slice, reflect.Array, reflect.Map:
		return pointed(shape.Elem())
	}
	return nil
}

func pointed(shape reflect.Type) reflect.Type {
	for shape.Kind() == reflect.Pointer {
		shape = shape.Elem()
	}
	return shape
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

// decode decodes one JSON value that no other reader understands differently, see
// [checkKeys]. Keys that into does not have are passed over.
func decode(raw []byte, into any) error {
	if err := checkKeys(raw, reflect.TypeOf(into).Elem()); err != nil {
		return err
	}
	if json.Unmarshal(raw, into) != nil {
		return errors.New("JSON of another shape")
	}
	return nil
}

// decodeStrictly decodes likewise, and refuses keys that into does not have.
func decodeStrictly(raw []byte, into any) error {
	if err := decode(raw, into); err != nil {
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

package githubtest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"text/scanner"
	"unicode/utf8"
)

// graphQLRoutes are the one address at which GitHub answers several questions at
// once. Of its schema there is what a repository shows of its files and tags.
var graphQLRoutes = []route{{"POST " + graphQLPath, "", "", (*GitHub).graphQL}}

const graphQLPath = "/graphql"

// selection is a field that is asked for, or a fragment on a type.
type selection struct {
	name, alias  string
	on           string // of a fragment
	arguments    map[string]string
	below        []selection
	line, column int
}

// schema are the fields of each type that there is, with the type of those that are
// objects; of a fragment's type there is more than of the interface.
var schema = map[string]map[string]string{
	"Query":      {"repository": "Repository"},
	"Repository": {"nameWithOwner": "", "object": "GitObject", "ref": "Ref"},
	"Ref":        {"target": "GitObject"},
	"GitObject":  {"oid": ""},
	"Commit":     {"oid": ""},
	"Tag":        {"oid": "", "target": "GitObject"},
	"Tree":       {"oid": "", "entries": "TreeEntry"},
	"TreeEntry":  {"name": "", "oid": "", "type": "", "mode": "", "object": "GitObject"},
	"Blob":       {"oid": "", "byteSize": "", "isBinary": "", "isTruncated": "", "text": ""},
}

// validate refuses a query that asks for what the schema does not have, all of it.
func validate(kind string, below []selection, at []any) any {
	for _, s := range below {
		at, inner := append(slices.Clone(at), s.alias), ""
		if s.on != "" {
			at[len(at)-1], inner = "... on "+s.on, s.on
		} else if field, known := schema[kind][s.name]; known || s.name == "__typename" {
			inner = field
		} else {
			return object{"path": at, "message": "Field '" + s.name + "' doesn't exist on type '" + kind + "'",
				"locations":  []any{object{"line": s.line, "column": s.column}},
				"extensions": object{"code": "undefinedField", "typeName": kind, "fieldName": s.name}}
		}
		if (inner == "") != (len(s.below) == 0) {
			return object{"path": at, "message": "Selections and the type of '" + s.name + "' do not fit",
				"locations": []any{object{"line": s.line, "column": s.column}}}
		}
		if err := validate(inner, s.below, at); err != nil {
			return err
		}
	}
	return nil
}

// errorOf is an error as GraphQL has it: of one field, while others have an answer.
func errorOf(kind, message string, s selection, at []any) object {
	return object{"type": kind, "path": at, "message": message,
		"locations": []any{object{"line": s.line, "column": s.column}}}
}

// graphQL answers a query. What fails is null, with an error beside it. See
// docs.github.com/graphql.
func (g *GitHub) graphQL(c call) (answer, error) {
	if c.access == nil {
		return answer{status: http.StatusUnauthorized, body: object{"message": "This endpoint requires you to be authenticated.", "status": "401",
			"documentation_url": "https://docs.github.com/graphql/guides/forming-calls-with-graphql#authenticating-with-graphql"}}, nil
	}
	w := g.window(c.access, "graphql")
	header := http.Header{}
	spent := w.used >= w.limit
	if !spent {
		w.used++
	}
	w.describe(header)
	if spent {
		return answer{header: header, body: object{"errors": []any{object{"type": "RATE_LIMIT", "code": "graphql_rate_limit",
			"message": "API rate limit already exceeded for " + g.whose(c.access)}}}}, nil
	}
	var asked struct{ Query string }
	raw, err := io.ReadAll(io.LimitReader(c.Body, 1<<20))
	if err != nil || json.Unmarshal(raw, &asked) != nil {
		return answer{}, &failure{status: http.StatusBadRequest, message: "Problems parsing JSON"}
	}
	fields, err := parseQuery(asked.Query)
	if err != nil {
		return answer{header: header, body: object{"errors": []any{object{"message": strings.Replace(err.Error(), "p", "P", 1)}}}}, nil
	}
	if err := validate("Query", fields, []any{"query"}); err != nil {
		return answer{header: header, body: object{"errors": []any{err}}}, nil
	}
	return answer{header: header, body: g.answers(c, fields)}, nil
}

// answers are those of a query that is in order.
func (g *GitHub) answers(c call, fields []selection) object {
	data, faults := object{}, []any{}
	for _, field := range fields {
		repo, fault := g.ofQuery(c, field)
		if fault != nil {
			data[field.alias] = nil
			faults = append(faults, fault)
			continue
		}
		data[field.alias] = pick(field.below, "Repository", func(s selection) any { return g.repositoryField(repo, s) })
	}
	body := object{"data": data}
	if len(faults) > 0 {
		body["errors"] = faults
	}
	return body
}

// ofQuery is the repository that a query names, also by a name that it had.
func (g *GitHub) ofQuery(c call, s selection) (*Repository, any) {
	name := s.arguments["owner"] + "/" + s.arguments["name"]
	repo := g.repositories[strings.ToLower(name)]
	if repo == nil {
		repo = g.repositoryByID(g.renamed[strings.ToLower(name)])
	}
	switch {
	case repo == nil || repo.Private && !c.access.sees(repo):
		return nil, errorOf("NOT_FOUND", "Could not resolve to a Repository with the name '"+name+"'.", s, []any{s.alias})
	case repo.Private && slices.Index(levels, c.access.Permissions["contents"]) < 1:
		return nil, errorOf("FORBIDDEN", "Resource not accessible by personal access token", s, []any{s.alias})
	}
	return repo, nil
}

// pick is an object with what was asked for: its own fields, and those of its type.
func pick(below []selection, kind string, field func(selection) any) object {
	o := object{}
	for _, s := range below {
		if s.on != "" {
			if s.on == kind {
				for name, value := range pick(s.below, kind, field) {
					o[name] = value
				}
			}
			continue
		}
		if s.name == "__typename" {
			o[s.alias] = kind
			continue
		}
		o[s.alias] = field(s)
	}
	return o
}

// repositoryField is a field of a repository.
func (g *GitHub) repositoryField(repo *Repository, s selection) any {
	switch s.name {
	case "nameWithOwner":
		return repo.Name
	case "object":
		sha, found := g.expression(repo, s.arguments["expression"])
		if !found {
			return nil
		}
		return g.gitObjectField(sha, s.below)
	case "ref":
		sha := g.refs[repo.ID][s.arguments["qualifiedName"]]
		if sha == "" {
			return nil
		}
		return pick(s.below, "Ref", func(s selection) any {
			if s.name != "target" {
				return nil
			}
			return g.gitObjectField(sha, s.below)
		})
	}
	return nil
}

// expression is the object of an expression as git takes it: a revision, or one with
// a path behind a colon.
func (g *GitHub) expression(repo *Repository, text string) (sha string, found bool) {
	revision, at, within := strings.Cut(text, ":")
	o := g.resolve(repo, revision)
	if o == nil || o.kind != "commit" {
		return "", false
	}
	if !within {
		return o.commit.SHA, true
	}
	e, found := g.lookup(o.commit.tree, at)
	return e.sha, found && path.Clean("/"+at) == "/"+at
}

// gitObjectField is one of git's objects, as far as it was asked for.
func (g *GitHub) gitObjectField(sha string, below []selection) any {
	o := g.objects[sha]
	if o == nil {
		return nil
	}
	kind := map[string]string{"blob": "Blob", "tree": "Tree", "commit": "Commit", "tag": "Tag"}[o.kind]
	return pick(below, kind, func(s selection) any {
		switch kind + "." + s.name {
		case kind + ".oid":
			return sha
		case "Tag.target":
			return g.gitObjectField(o.tag.Target, s.below)
		case "Blob.byteSize":
			return len(o.content)
		case "Blob.isBinary":
			return isBinary(o.content)
		case "Blob.isTruncated":
			return len(o.content) > textLimit
		case "Blob.text":
			return textOf(o.content)
		case "Tree.entries":
			return g.entries(o, s.below)
		}
		return nil
	})
}

// textLimit is where the text of a file is cut off.
const textLimit = 512_000

// textOf is a file's text, null if it is none.
func textOf(content string) any {
	if isBinary(content) {
		return nil
	}
	return strings.ToValidUTF8(content[:min(len(content), textLimit)], "\ufffd")
}

func isBinary(content string) bool {
	return strings.ContainsRune(content, 0) || !utf8.ValidString(content) && strings.Count(content, "\n") == 0
}

func (g *GitHub) entries(tree *gitObject, below []selection) []any {
	all := []any{}
	for _, e := range tree.entries {
		all = append(all, pick(below, "TreeEntry", func(s selection) any {
			switch s.name {
			case "name":
				return e.name
			case "oid":
				return e.sha
			case "type":
				return e.kind()
			case "mode":
				mode, _ := strconv.ParseInt(e.mode, 8, 32)
				return mode
			case "object":
				return g.gitObjectField(e.sha, s.below)
			}
			return nil
		}))
	}
	return all
}

// parseQuery reads a query of fields, arguments that are strings, and fragments.
func parseQuery(text string) (fields []selection, err error) {
	p := queryParser{}
	p.Init(strings.NewReader(text))
	p.Mode = scanner.ScanIdents | scanner.ScanStrings
	p.Error = func(*scanner.Scanner, string) {}
	p.next()
	if p.token == "query" {
		p.next()
	}
	fields = p.selections(0)
	if p.failed == nil && p.kind != scanner.EOF {
		p.fail()
	}
	return fields, p.failed
}

type queryParser struct {
	scanner.Scanner
	kind   rune
	token  string
	failed error
}

func (p *queryParser) next() { p.kind, p.token = p.Scan(), p.TokenText() }

func (p *queryParser) fail() {
	if p.failed == nil {
		p.failed = fmt.Errorf("parse error on %q (error) at [%d, %d]", p.token, p.Position.Line, p.Position.Column)
	}
	p.kind, p.token = scanner.EOF, ""
}

func (p *queryParser) take(token string) {
	if p.token != token {
		p.fail()
		return
	}
	p.next()
}

func (p *queryParser) ident() (name string) {
	if p.kind != scanner.Ident {
		p.fail()
		return ""
	}
	name = p.token
	p.next()
	return name
}

func (p *queryParser) selections(depth int) (all []selection) {
	for p.take("{"); p.failed == nil && p.token != "}"; {
		if depth > 10 || len(all) > 1000 {
			p.fail()
			break
		}
		all = append(all, p.selection(depth))
	}
	p.take("}")
	return all
}

func (p *queryParser) selection(depth int) selection {
	s := selection{line: p.Position.Line, column: p.Position.Column, arguments: map[string]string{}}
	if p.token == "." {
		p.take(".")
		p.take(".")
		p.take(".")
		p.take("on")
		s.on = p.ident()
	} else {
		s.name = p.ident()
		s.alias = s.name
		if p.token == ":" {
			p.next()
			s.name = p.ident()
		}
	}
	if p.token == "(" {
		for p.next(); p.failed == nil && p.token != ")"; {
			name := p.ident()
			p.take(":")
			if json.Unmarshal([]byte(p.token), new(string)) != nil {
				p.fail()
				break
			}
			var value string
			_ = json.Unmarshal([]byte(p.token), &value)
			s.arguments[name] = value
			if p.next(); p.token == "," {
				p.next()
			}
		}
		p.take(")")
	}
	if p.token == "{" {
		s.below = p.selections(depth + 1)
	}
	return s
}

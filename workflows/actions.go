package workflows

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"
)

// ActionAt is an action of a repository at a commit, as a workflow names it.
type ActionAt struct {
	Repository string // "owner/name"
	Folder     string // of its action.yml; "" is the root
	Commit     string
	Version    string // what a comment beside the commit says, as "v4.2.2", or ""
}

// ActionSaid is what GitHub says of an action when it is asked of many at once.
type ActionSaid struct {
	Tagged bool              // the tag of the version is at the commit
	Files  map[string][]byte // action.yml and action.yaml, where they are; nil: it did not come whole
}

// actionNames are the files that describe an action: the first that is there.
var actionNames = []string{"action.yml", "action.yaml"}

// Actions asks of many actions what [Client.Content] and [Client.Pinned] would say of
// them, fifty in a call: by GraphQL, which answers several questions at once. It takes
// what it is sure of. An action that is not in the answer has to be asked about by
// itself: without a token that is all of them, for GraphQL is for nobody else.
func (c *Client) Actions(ctx context.Context, all []ActionAt) map[ActionAt]ActionSaid {
	said := map[ActionAt]ActionSaid{}
	if c.anonymous {
		return said
	}
	for part := range slices.Chunk(all, actionsPerCall) {
		text, err := actionsQuery(part)
		if err != nil {
			continue
		}
		got, err := get[struct {
			Data map[string]*actionAnswer `json:"data"`
		}](ctx, c, question{path: c.graphQL(), body: map[string]string{"query": text},
			needs: readContents, about: "the actions in use"})
		if err != nil {
			continue
		}
		for i, at := range part {
			if a := got.Data[fmt.Sprintf("a%d", i)]; a != nil && a.Folder != nil {
				said[at] = a.said(at)
			}
		}
	}
	return said
}

const actionsPerCall = 50

// graphQL is the address for it: beside the REST API of a server of one's own, and
// below that of github.com.
func (c *Client) graphQL() string {
	if strings.HasSuffix(c.base.Path, "/api/v3/") {
		return "../graphql"
	}
	return "graphql"
}

// actionsQuery asks for the folder of each action, for its files, and for the tag.
// See docs.github.com/graphql/reference/objects#repository.
func actionsQuery(all []ActionAt) (string, error) {
	var query strings.Builder
	query.WriteString("query {\n")
	for i, at := range all {
		if _, err := pathOf(at.Repository); err != nil || !commitSHA.MatchString(at.Commit) {
			continue
		}
		owner, name, _ := strings.Cut(at.Repository, "/")
		folder := strings.Trim(path.Clean("/"+at.Folder), "/")
		texts := []string{owner, name, at.Commit + ":" + folder}
		for _, file := range actionNames {
			texts = append(texts, at.Commit+":"+path.Join(folder, file))
		}
		var quoted []any
		for _, text := range append(texts, "refs/tags/"+at.Version) {
			raw, err := json.Marshal(text) // GraphQL's strings are JSON's
			if err != nil {
				return "", err
			}
			quoted = append(quoted, raw)
		}
		fmt.Fprintf(&query, actionQuery, append([]any{i}, quoted...)...)
	}
	query.WriteString("}\n")
	return query.String(), nil
}

const actionQuery = `a%d: repository(owner: %s, name: %s) {
  folder: object(expression: %s) { ... on Tree { entries { name mode oid } } }
  yml: object(expression: %s) { ... on Blob { text } }
  yaml: object(expression: %s) { ... on Blob { text } }
  tag: ref(qualifiedName: %s) { target { oid ... on Tag { target { oid } } } }
}
`

// actionAnswer is what GraphQL says of one action.
type actionAnswer struct {
	Folder *struct {
		Entries []struct {
			Name string
			Mode int
			OID  string
		}
	}
	YML, YAML *struct{ Text *string }
	Tag       *struct {
		Target struct {
			OID    string
			Target *struct{ OID string } // of a tag with a text of its own
		}
	}
}

// said is the answer, without what is not sure. Text that does not have the hash of
// the file is not what lies there: it was cut off, or came from another encoding. A
// link is left to who asks for the file that it leads to.
func (a *actionAnswer) said(at ActionAt) ActionSaid {
	said := ActionSaid{Files: map[string][]byte{}}
	if a.Tag != nil && at.Version != "" {
		tip := a.Tag.Target.OID
		if inner := a.Tag.Target.Target; inner != nil {
			tip = inner.OID
		}
		said.Tagged = tip == at.Commit
	}
	texts := map[string]*struct{ Text *string }{"action.yml": a.YML, "action.yaml": a.YAML}
	for _, e := range a.Folder.Entries {
		if !slices.Contains(actionNames, e.Name) {
			continue
		}
		said.Files[e.Name] = nil
		const regular = 0o100000
		if t := texts[e.Name]; t != nil && t.Text != nil && e.Mode&^0o777 == regular && gitBlob(*t.Text) == e.OID {
			said.Files[e.Name] = []byte(*t.Text)
		}
	}
	return said
}

// gitBlob is the name that git has for a file of this text.
func gitBlob(text string) string {
	sum := sha1.Sum(fmt.Appendf(nil, "blob %d\x00%s", len(text), text))
	return hex.EncodeToString(sum[:])
}

package githubtest_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/distgate/distgate/workflows/githubtest"
)

// One question of several fails with an error of its own; a query that the schema does
// not know fails whole; and nobody is answered without a token, or beyond the limit.
func TestGraphQL(t *testing.T) {
	server := httptest.NewUnstartedServer(nil)
	g, err := githubtest.New("http://"+server.Listener.Addr().String(), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	server.Config.Handler = g
	server.Start()
	t.Cleanup(server.Close)
	c := g.PutCommit(githubtest.Commit{Repository: "acme/widget", Message: "one", Files: []githubtest.File{{Path: "a.txt", Content: "hello\n"}}})
	g.PutBranch(githubtest.Branch{Repository: "acme/widget", Name: "main", SHA: c.SHA})
	token := g.AccessToken(githubtest.Access{User: "alice", Limit: 5})
	const widget = `repository(owner: "acme", name: "widget")`
	for _, row := range []struct {
		name, token, query string
		status             int
		want               string
	}{
		{"a file", token, `query { w: ` + widget + ` { nameWithOwner object(expression: "main:a.txt") { oid ... on Blob { text byteSize } ... on Tree { entries { name } } } } }`,
			200, `{"data":{"w":{"nameWithOwner":"acme/widget","object":{"byteSize":6,"oid":"ce013625030ba8dba906f756967f9e9ca394464a","text":"hello\n"}}}}`},
		{"what is not there", token, `{ a: ` + widget + ` { ref(qualifiedName: "refs/tags/v1") { target { oid } } object(expression: "main:b.txt") { oid } } b: repository(owner: "acme", name: "gone") { nameWithOwner } }`,
			200, `{"data":{"a":{"ref":null,"object":null},"b":null},"errors":[{"type":"NOT_FOUND","path":["b"],"locations":[{"line":1,"column":147}],` +
				`"message":"Could not resolve to a Repository with the name 'acme/gone'."}]}`},
		{"a folder", token, `{` + widget + `{ object(expression: "main:") { ... on Tree { entries { name mode type } } } } }`,
			200, `{"data":{"repository":{"object":{"entries":[{"name":"a.txt","mode":33188,"type":"blob"}]}}}}`},
		{"no such field", token, `{ ` + widget + ` { secrets } }`,
			200, `{"errors":[{"path":["query","repository","secrets"],"message":"Field 'secrets' doesn't exist on type 'Repository'","locations":[{"line":1,"column":47}],` +
				`"extensions":{"code":"undefinedField","typeName":"Repository","fieldName":"secrets"}}]}`},
		{"no query", token, `{ repository(`, 200, `{"errors":[{"message":"Parse error on \"\" (error) at [1, 14]"}]}`},
		{"beyond the limit", token, `{ ` + widget + ` { nameWithOwner } }`, 200, ""},
		{"nobody", "", `{ ` + widget + ` { nameWithOwner } }`, 401, `{"message":"This endpoint requires you to be authenticated.",` +
			`"documentation_url":"https://docs.github.com/graphql/guides/forming-calls-with-graphql#authenticating-with-graphql","status":"401"}`},
	} {
		body, err := json.Marshal(map[string]string{"query": row.query})
		if err != nil {
			t.Fatal(err)
		}
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, g.Issuer()+"/graphql", strings.NewReader(string(body)))
		if err != nil {
			t.Fatal(err)
		}
		if row.token != "" {
			request.Header.Set("Authorization", "Bearer "+row.token)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if row.want == "" {
			if !strings.Contains(string(raw), "API rate limit already exceeded for user ID") || response.Header.Get("X-Ratelimit-Resource") != "graphql" {
				t.Errorf("%s: got %s", row.name, raw)
			}
			continue
		}
		var got, want any
		if json.Unmarshal(raw, &got) != nil || json.Unmarshal([]byte(row.want), &want) != nil || response.StatusCode != row.status {
			t.Errorf("%s: got %d %s", row.name, response.StatusCode, raw)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", row.name, diff)
		}
	}
}

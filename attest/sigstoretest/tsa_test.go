package sigstoretest_test

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"strings"
	"testing"

	"github.com/digitorus/timestamp"

	"github.com/distgate/distgate/attest/sigstoretest"
)

func TestTimestampAuthority(t *testing.T) {
	url := serve(t, instance(t, sigstoretest.NewGitHub)) + "/api/v1/timestamp"
	request := func(r timestamp.Request) []byte {
		raw, err := r.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	sum := sha256.Sum256([]byte("a signature"))
	good := timestamp.Request{HashAlgorithm: crypto.SHA256, HashedMessage: sum[:]}
	short, weak, policy := good, good, good
	short.HashedMessage = sum[:20]
	weak.HashAlgorithm, weak.HashedMessage = crypto.SHA1, sum[:20]
	policy.TSAPolicyOID = []int{1, 2, 3}
	const kind = "application/timestamp-query"
	tests := []struct {
		name   string
		kind   string
		body   []byte
		status int
		want   string
	}{
		{"granted", kind, request(good), 201, ""},
		{"not a request", kind, []byte("x"), 400, "Error generating timestamp response"},
		{"short hash", kind, request(short), 400, "Message digest has incorrect length"},
		{"weak hash", kind, request(weak), 400, "Weak hash algorithm"},
		{"another policy", kind, request(policy), 400, "unaccepted policy"},
		{"another type", "text/plain", request(good), 415, "unsupported media type"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			response, body := post(t, url, test.kind, "", test.body)
			if response.StatusCode != test.status || !strings.Contains(body, test.want) {
				t.Errorf("got %d %s, want %d … %s", response.StatusCode, body, test.status, test.want)
			}
			if test.status != 201 {
				return
			}
			if got := response.Header.Get("Content-Type"); got != "application/timestamp-reply" {
				t.Errorf("Content-Type %s", got)
			}
			stamp, err := timestamp.ParseResponse([]byte(body))
			if err != nil || !bytes.Equal(stamp.HashedMessage, sum[:]) {
				t.Errorf("%v of %x, want of %x", err, stamp.HashedMessage, sum)
			}
		})
	}
}
